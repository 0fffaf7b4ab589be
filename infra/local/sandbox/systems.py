"""The operating systems of the fleet: what Azure shows of each, and which updates of the catalogue fit it."""

import msgspec


class Image(msgspec.Struct, frozen=True):
    """A marketplace image: publisher, offer and sku as `az vm image list` names them."""

    publisher: str
    offer: str
    sku: str


CLIENT_IMAGE = Image("MicrosoftWindowsDesktop", "windows-11", "win11-24h2-ent")
"""Of a Windows client. Source: "Virtual machines, find and use Marketplace images"; Azure patches none of them."""


class System(msgspec.Struct, frozen=True, kw_only=True):
    """One operating system. `name` and `version` as the VM agent or the Arc agent reports them.

    `families` are the catalogue's; `source` is Azure's patchServiceUsed.
    """

    key: str
    os: str
    name: str
    version: str
    sku: str = ""
    families: tuple[str, ...]
    source: str
    image: Image | None = None


def _windows(year: int, build: str, sku: str) -> System:
    return System(
        key=f"windows-server-{year}",
        os="Windows",
        name=f"Windows Server {year} Datacenter",
        version=f"10.0.{build}",
        sku=f"Windows Server {year} Datacenter",
        families=(f"windows-server-{year}", "windows"),
        source="WU",
        image=Image("MicrosoftWindowsServer", "WindowsServer", sku),
    )


def _sql(year: int, host: System, offer: str) -> System:
    return msgspec.structs.replace(
        host,
        key=f"sql-server-{year}",
        families=(f"sql-server-{year}", *host.families),
        image=Image("MicrosoftSQLServer", offer, "standard-gen2"),
    )


def _linux(key: str, name: str, version: str, source: str, image: Image) -> System:
    return System(key=key, os="Linux", name=name, version=version, families=(key,), source=source, image=image)


_SERVER_2016 = _windows(2016, "14393.7259", "2016-datacenter-gensecond")
_SERVER_2019 = _windows(2019, "17763.6189", "2019-datacenter-gensecond")
_SERVER_2022 = _windows(2022, "20348.2655", "2022-datacenter-azure-edition")
_SERVER_2025 = _windows(2025, "26100.2605", "2025-datacenter-azure-edition")

_IOT = System(
    key="windows-10-iot",
    os="Windows",
    name="Windows 10 IoT Enterprise LTSC 2021",
    version="10.0.19044.4780",
    sku="Windows 10 IoT Enterprise LTSC",
    families=("windows-10-iot", "windows"),
    source="WU",
)

SYSTEMS = {
    system.key: system
    for system in (
        _SERVER_2016,
        _SERVER_2019,
        _SERVER_2022,
        _SERVER_2025,
        _sql(2019, _SERVER_2019, "sql2019-ws2019"),
        _sql(2022, _SERVER_2022, "sql2022-ws2022"),
        _IOT,
        _linux(
            "ubuntu-20.04",
            "ubuntu",
            "20.04",
            "APT",
            Image("Canonical", "0001-com-ubuntu-server-focal", "20_04-lts-gen2"),
        ),
        _linux(
            "ubuntu-22.04",
            "ubuntu",
            "22.04",
            "APT",
            Image("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"),
        ),
        _linux("ubuntu-24.04", "ubuntu", "24.04", "APT", Image("Canonical", "ubuntu-24_04-lts", "server")),
        _linux("debian-12", "debian", "12.5", "APT", Image("Debian", "debian-12", "12-gen2")),
        _linux("almalinux-8", "almalinux", "8.10", "YUM", Image("almalinux", "almalinux-x86_64", "8-gen2")),
        _linux("almalinux-9", "almalinux", "9.4", "YUM", Image("almalinux", "almalinux-x86_64", "9-gen2")),
        _linux("almalinux-10", "almalinux", "10.0", "YUM", Image("almalinux", "almalinux-x86_64", "10-gen2")),
    )
}
