"""Route templates: which function answers, with which parameters, and what is refused."""

import pytest

from infra.local.host.errors import Refused
from infra.local.host.metadata import ALL_METHODS, Function, HttpTrigger, TimerTrigger
from infra.local.host.routes import Routes


def http(route: str, *methods: str, name: str = "") -> Function:
    trigger = HttpTrigger(route=route, methods=frozenset(methods) or ALL_METHODS, auth_level="anonymous")
    return Function(id=route, name=name or route, parameter="req", trigger=trigger, bindings=())


# Registered from the least to the most specific: the order of registration must not matter.
TABLE = Routes(
    [
        http("{*path}"),
        http("subscriptions/{sub}/resourceGroups/{group}/providers/{provider}/{type}/{name}", "GET", name="machine"),
        http(
            "subscriptions/{sub}/resourceGroups/{group}/providers/{provider}/{type}/{name}/installPatches",
            "POST",
            name="install",
        ),
        http("subscriptions/{sub}/{*rest}", "DELETE", name="rest of subscription"),
        http("fleet/{what}", name="fleet"),
        http("fleet/{number:int}", name="fleet number"),
        http("fleet/machines", "GET", name="machines"),
        http("fleet/{what}/items/{item?}", name="items"),
    ],
    prefix="",
)


@pytest.mark.parametrize(
    ("method", "path", "function", "params"),
    [
        ("GET", "/fleet/machines", "machines", {}),
        ("GET", "/FLEET/Machines", "machines", {}),
        ("GET", "/fleet/machines/", "machines", {}),
        ("POST", "/fleet/machines", "fleet", {"what": "machines"}),
        ("GET", "/fleet/summary", "fleet", {"what": "summary"}),
        ("GET", "/fleet/17", "fleet number", {"number": "17"}),
        ("GET", "/fleet/x/items", "items", {"what": "x"}),
        ("GET", "/fleet/x/items/7", "items", {"what": "x", "item": "7"}),
        ("GET", "/fleet", "{*path}", {"path": "fleet"}),
        ("GET", "/fleet/", "{*path}", {"path": "fleet"}),
        ("GET", "/", "{*path}", {"path": ""}),
        ("GET", "", "{*path}", {"path": ""}),
        ("GET", "/a//b", "{*path}", {"path": "a//b"}),
        ("GET", "/fleet//items", "{*path}", {"path": "fleet//items"}),
        ("GET", "/fleet/a%20b%2Fc", "fleet", {"what": "a b%2Fc"}),
        ("GET", "/fleet/caf%C3%A9", "fleet", {"what": "café"}),
        ("DELETE", "/subscriptions/S/x/y", "rest of subscription", {"sub": "S", "rest": "x/y"}),
        ("DELETE", "/subscriptions/S", "rest of subscription", {"sub": "S", "rest": ""}),
        ("GET", "/subscriptions/S/x/y", "{*path}", {"path": "subscriptions/S/x/y"}),
        (
            "POST",
            "/subscriptions/S/resourcegroups/G/providers/Microsoft.Compute/virtualMachines/VM/installpatches",
            "install",
            {"sub": "S", "group": "G", "provider": "Microsoft.Compute", "type": "virtualMachines", "name": "VM"},
        ),
    ],
)
def test_precedence(method: str, path: str, function: str, params: dict[str, str]) -> None:
    match = TABLE.match(method, path)
    assert match is not None
    assert (match.function.name, match.params) == (function, params)


def test_no_route_fits() -> None:
    routes = Routes([http("a/{b}", "GET")], prefix="api")
    assert routes.match("GET", "/api/a/x") is not None
    for method, path in (("GET", "/a/x"), ("GET", "/api/a"), ("GET", "/api/a/x/y"), ("PUT", "/api/a/x"), ("GET", "/")):
        assert routes.match(method, path) is None, (method, path)


def test_an_empty_route_answers_the_prefix_itself() -> None:
    assert Routes([http("", name="root")], prefix="").match("GET", "/") is not None
    assert Routes([http("", name="root")], prefix="api").match("GET", "/api") is not None
    assert Routes([http("", name="root")], prefix="api").match("GET", "/") is None


@pytest.mark.parametrize(
    ("constraint", "yes", "no"),
    [("int", "-12", "1a"), ("alpha", "Abc", "a1"), ("guid", "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b")],
)
def test_constraints(constraint: str, yes: str, no: str) -> None:
    routes = Routes([http(f"x/{{v:{constraint}}}")], prefix="")
    assert routes.match("GET", f"/x/{yes}") is not None
    assert routes.match("GET", f"/x/{no}") is None


@pytest.mark.parametrize(
    "route",
    ["{*all}/x", "{a?}/x", "a{b}", "{a}-{b}", "{a:regex(x)}", "{a:datetime}", "a//b", "{a", "admin/x", "Runtime/y"],
)
def test_what_cannot_be_honoured_is_refused_with_the_functions_name(route: str) -> None:
    with pytest.raises(Refused, match="Function broken"):
        Routes([http(route, name="broken")], prefix="")


def test_other_triggers_have_no_route() -> None:
    timer = Function(id="t", name="t", parameter="t", trigger=TimerTrigger(schedule="0 * * * * *"), bindings=())
    assert Routes([timer], prefix="").match("GET", "/t") is None
