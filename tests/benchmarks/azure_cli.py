"""The real Azure CLI, in a virtual environment of its own, logged in to the sandbox as a service principal."""

import os
import subprocess
import sys
from pathlib import Path

from infra.local import bootstrap
from infra.local.launch import Cloud, environment
from infra.local.places import LOCAL

PIN = "azure-cli==2.91.0"
"""It pins its own SDKs, so it never goes into the app's environment. About a minute and 733 MB."""

HOME = LOCAL / "azure-cli"
AZ = HOME / ("Scripts/az.bat" if os.name == "nt" else "bin/az")
STAMP = HOME / "open-update-manager.json"


class AzureCli:
    """`az`, with a configuration folder of its own."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._environment = environment(
            {
                "AZURE_CONFIG_DIR": str(folder),
                "REQUESTS_CA_BUNDLE": cloud.ca,
                "AZURE_CORE_INSTANCE_DISCOVERY": "false",  # it would ask the public authority about our tenant
                "AZURE_CORE_COLLECT_TELEMETRY": "no",
            }
        )
        tenant = cloud.issuer.removesuffix("/v2.0").rpartition("/")[2]
        self.run("cloud", "register", "-n", "sandbox", "--endpoint-resource-manager", cloud.arm)
        self.run("cloud", "set", "-n", "sandbox")
        self.run("login", "--service-principal", "-u", "operator", "-p", "any", "--tenant", tenant)

    def run(self, *words: str) -> None:
        """One call. Raises SetupFailed with what it said when it fails."""
        done = subprocess.run(
            [str(AZ), *words, "-o", "none"], env=self._environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise bootstrap.SetupFailed(f"az {words[0]} {words[1]}: {done.stderr[-600:]}")


def install() -> None:
    """Installs it once. Raises SetupFailed when that cannot be done here."""
    if bootstrap.read_stamp(STAMP) == {"pin": PIN}:
        return
    bootstrap.run_quietly([sys.executable, "-m", "venv", "--clear", str(HOME)])
    pip = [str(AZ.parent / "python"), "-I", "-m", "pip", "install", "--quiet", "--no-input"]
    bootstrap.run_quietly([*pip, "--disable-pip-version-check", PIN])
    bootstrap.write_stamp(STAMP, {"pin": PIN})
