"""The sandbox over sockets: the official clients on HTTPS with its certificate, the managed identity on HTTP."""

import http.client
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.identity import ClientSecretCredential, CredentialUnavailableError, ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.hybridcompute import HybridComputeManagementClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest

from tests.sandbox.process import Running, running
from tests.sandbox.world import Holder, group_and_name, install_body

FAST = "3000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    arguments = ["--port", "0", "--identity-port", "0", "--seed", "7", "--machines", "40", "--speed", FAST]
    with running(tmp_path_factory.mktemp("sandbox"), arguments) as started:
        yield started


@pytest.fixture(scope="module")
def fleet(server: Running) -> list[dict[str, Any]]:
    return list(server.ask("GET", "/sandbox/fleet"))


@pytest.fixture
def identity(server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagedIdentityCredential]:
    """The credential the deployed app uses, on the code path it takes inside Azure."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", server.ready["identity"])
    monkeypatch.setenv("IDENTITY_HEADER", server.ready["identity_header"])
    with ManagedIdentityCredential() as credential:
        yield credential


def options(server: Running) -> dict[str, Any]:
    return {"base_url": server.ready["arm"], "connection_verify": server.ready["ca"]}


def pick(fleet: list[dict[str, Any]], *, vm: bool, os: str) -> dict[str, Any]:
    """A healthy machine with something to install."""
    right = {"script": "healthy", "os": os}
    return next(
        machine
        for machine in fleet
        if machine["pending"] and machine.items() >= right.items() and (machine["kind"] == "AzureVM") == vm
    )


def test_what_it_says_when_ready_is_complete(server: Running) -> None:
    names = {"arm", "identity", "identity_header", "issuer", "ca", "cert", "key", "token"}
    assert set(server.ready) == names
    assert server.ready["issuer"].startswith(server.ready["arm"])
    for name in ("ca", "cert", "key"):
        assert Path(server.ready[name]).read_text(encoding="ascii").startswith("-----BEGIN")


def test_a_vm_is_listed_assessed_and_installed_over_https(
    server: Running, fleet: list[dict[str, Any]], identity: ManagedIdentityCredential
) -> None:
    machine = pick(fleet, vm=True, os="Linux")
    group, name = group_and_name(machine)
    with ComputeManagementClient(identity, machine["subscription"], **options(server)) as client:
        assert machine["id"] in {vm.id for vm in client.virtual_machines.list_all()}
        assert client.virtual_machines.get(group, name).vm_id
        assessed = client.virtual_machines.begin_assess_patches(group, name).result()
        assert {patch.patch_id for patch in assessed.available_patches or []} == set(machine["pending"])
        vms: Any = client.virtual_machines
        installed = vms.begin_install_patches(group, name, install_body(machine)).result()
        assert installed.installed_patch_count == len(machine["pending"])
        view = client.virtual_machines.instance_view(group, name).patch_status
    assert view is not None
    assert view.last_patch_installation_summary is not None
    assert view.last_patch_installation_summary.status == "Succeeded"


def test_an_arc_machine_is_assessed_and_installed_over_https(
    server: Running, fleet: list[dict[str, Any]], identity: ManagedIdentityCredential
) -> None:
    machine = pick(fleet, vm=False, os="Windows")
    group, name = group_and_name(machine)
    with HybridComputeManagementClient(identity, machine["subscription"], **options(server)) as client:
        machines: Any = client.machines
        assert machine["id"] in {item.id for item in machines.list_by_subscription()}
        assert machines.begin_assess_patches(group, name).result().status == "Succeeded"
        installed = machines.begin_install_patches(group, name, install_body(machine)).result()
    assert installed.installed_patch_count == len(machine["pending"])


def test_resource_graph_answers_over_https(server: Running, fleet: list[dict[str, Any]]) -> None:
    client: Any = ResourceGraphClient(Holder(server.ready["token"]), **options(server))
    with client:
        rows = client.resources(QueryRequest(query="resources | project id | order by id asc")).data
    assert {row["id"] for row in rows} == {machine["id"] for machine in fleet}


def test_the_certificate_is_needed_and_covers_localhost(server: Running) -> None:
    port = urlsplit(server.ready["arm"]).port
    context = ssl.create_default_context(cafile=server.ready["ca"])
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    connection.request("GET", "/sandbox/fleet")
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read()
    connection.close()
    client = ComputeManagementClient(Holder("x"), "sub", base_url=server.ready["arm"], retry_total=0)
    with client, pytest.raises(ServiceRequestError, match=r"(?i)certificate"):
        list(client.virtual_machines.list_all())


def test_the_managed_identity_is_no_owner_and_good_for_arm_alone(
    server: Running, identity: ManagedIdentityCredential
) -> None:
    token = identity.get_token("https://management.azure.com/.default").token
    app, owner = (jwt.decode(item, options={"verify_signature": False}) for item in (token, server.ready["token"]))
    assert app["aud"] == "https://management.azure.com"
    assert owner["aud"] == ["https://management.azure.com", "https://eventgrid.azure.net", "api://open-update-manager"]
    assert app["oid"] != owner["oid"]
    assert app["tid"] == owner["tid"]
    with pytest.raises(ClientAuthenticationError):
        identity.get_token("https://vault.azure.net/.default")


def test_a_wrong_identity_header_gets_no_token(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", server.ready["identity"])
    monkeypatch.setenv("IDENTITY_HEADER", "guessed")
    with (
        ManagedIdentityCredential() as credential,
        pytest.raises((ClientAuthenticationError, CredentialUnavailableError)),
    ):
        credential.get_token("https://management.azure.com/.default")


def test_the_plain_port_serves_the_managed_identity_only(server: Running) -> None:
    address = urlsplit(server.ready["identity"])
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    for path in ("/sandbox/fleet", "/subscriptions?api-version=2022-12-01"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404
    connection.close()


def test_tokens_are_proven_by_the_published_keys(server: Running) -> None:
    path = urlsplit(server.ready["issuer"]).path
    configuration = server.ask("GET", f"{path}/.well-known/openid-configuration")
    assert configuration["issuer"] == server.ready["issuer"]
    keys = jwt.PyJWKSet.from_dict(server.ask("GET", urlsplit(configuration["jwks_uri"]).path))
    key = keys[jwt.get_unverified_header(server.ready["token"])["kid"]]
    claims = jwt.decode(
        server.ready["token"],
        key,
        algorithms=["RS256"],
        audience="api://open-update-manager",
        issuer=server.ready["issuer"],
    )
    assert claims["exp"] - claims["iat"] == 24 * 3600
    assert claims["appid"] == claims["azp"]


def test_a_client_secret_is_a_way_in(server: Running, fleet: list[dict[str, Any]]) -> None:
    tenant = urlsplit(server.ready["issuer"]).path.split("/")[1]
    credential = ClientSecretCredential(
        tenant,
        "ci-pipeline",
        "any secret",
        authority=server.ready["arm"],
        disable_instance_discovery=True,
        connection_verify=server.ready["ca"],
    )
    with credential, ComputeManagementClient(credential, fleet[0]["subscription"], **options(server)) as client:
        assert list(client.virtual_machines.list_all()) is not None


def test_a_fault_with_effect_is_one_post_for_a_client_without_retries(
    server: Running, fleet: list[dict[str, Any]]
) -> None:
    machine = pick(fleet, vm=True, os="Windows")
    group, name = group_and_name(machine)
    before = len(server.ask("GET", "/sandbox/journal"))
    fault = {"method": "POST", "path_contains": f"/{name}/assessPatches", "status": 503, "effect": True}
    assert server.ask("POST", "/sandbox/faults", fault) is None
    holder = Holder(server.ready["token"])
    client = ComputeManagementClient(holder, machine["subscription"], retry_total=0, **options(server))
    with client, pytest.raises(HttpResponseError) as raised:
        client.virtual_machines.begin_assess_patches(group, name)
    assert raised.value.status_code == 503
    seen = server.ask("GET", f"/sandbox/journal?after={before}")
    posts = [entry for entry in seen if entry.get("method") == "POST" and entry["machine"] == machine["id"]]
    assert [(entry["status"], entry["effect"], entry["fault"]) for entry in posts] == [(503, True, True)]
    assert [entry["event"] for entry in seen].count("operationAccepted") == 1


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told(tmp_path: Path, signal_: signal.Signals) -> None:
    with running(tmp_path, ["--machines", "3"]) as started:
        assert len(started.ask("GET", "/sandbox/fleet")) == 3
        assert started.stop(signal_) == 0


def test_a_taken_port_is_said_at_once(server: Running, tmp_path: Path) -> None:
    port = str(urlsplit(server.ready["arm"]).port)
    with pytest.raises(AssertionError, match="before it was ready"), running(tmp_path, ["--port", port]):
        pass
