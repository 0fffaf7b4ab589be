"""Makes the smallest Debian system in a folder with debootstrap, fetched into the cache folder when not installed."""

import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from infra.local.guests.commands import SYSTEM_PATH, Finished, GuestUnavailable, run
from infra.local.guests.mirror import Mirror

FETCH_SECONDS = 120.0
BUILD_SECONDS = 900.0
"""Measured: 25-40 s on two cores; the rest is for slow mirrors."""

DOWNLOADER = """\
#!/bin/sh
# debootstrap calls wget; apt's own downloader knows the machine's proxy and certificates, and is always there.
while [ $# -gt 0 ]; do
    case "$1" in
        -O) shift; target=$1 ;;
        -*) ;;
        *) address=$1 ;;
    esac
    shift
done
exec /usr/lib/apt/apt-helper -qq -o APT::Sandbox::User=root download-file "$address" "$target"
"""

QUIET_UPDATE = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
"""The machine's own hooks are for its own package lists."""


class Debootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """The program, and the folder of its scripts where that is not the usual one."""

    program: Path
    scripts: Path | None = None


def find_debootstrap(tools: Path) -> Debootstrap:
    """The installed one, else the one in `tools`, else one fetched there now. Raises GuestUnavailable, OSError."""
    installed = shutil.which("debootstrap", path=SYSTEM_PATH)
    if installed:
        return Debootstrap(program=Path(installed))
    fetched = Debootstrap(
        program=tools / "debootstrap/usr/sbin/debootstrap", scripts=tools / "debootstrap/usr/share/debootstrap"
    )
    if not fetched.program.is_file():
        _fetch(tools)
    return fetched


def _fetch(tools: Path) -> None:
    """Downloads the package with the machine's own package lists; where those are missing or old, with fresh ones."""
    folder = tools / "download"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "debootstrap"]
    if run(download, seconds=FETCH_SECONDS, folder=folder).code != 0:
        config = folder / "own.conf"
        lists = f'Dir::State::lists "{folder}/lists";\nDir::Cache "{folder}/cache";\nAPT::Sandbox::User "root";\n'
        config.write_text(QUIET_UPDATE + lists, encoding="utf-8")
        _must(
            run(["apt-get", "-q", "-c", str(config), "update"], seconds=FETCH_SECONDS), "the mirror could not be read"
        )
        fetched = run(["apt-get", "-q", "-c", config, "download", "debootstrap"], seconds=FETCH_SECONDS, folder=folder)
        _must(fetched, "debootstrap is not installed and could not be fetched")
    _unpack(next(folder.glob("debootstrap_*.deb")), tools / "debootstrap")
    shutil.rmtree(folder)


def _unpack(package: Path, target: Path) -> None:
    unfinished = target.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    _must(run(["dpkg", "-x", package, unfinished], seconds=FETCH_SECONDS), "debootstrap could not be unpacked")
    unfinished.rename(target)


def build(debootstrap: Debootstrap, mirror: Mirror, target: Path, tools: Path) -> None:
    """Makes the system in the new folder `target`. Raises GuestUnavailable with debootstrap's last word, OSError."""
    env = {"PATH": f"{_downloader(tools)}{os.pathsep}{SYSTEM_PATH}"}
    if debootstrap.scripts is not None:
        env["DEBOOTSTRAP_DIR"] = str(debootstrap.scripts)
    with tempfile.TemporaryDirectory(prefix="guest-") as folder:
        # debootstrap fails in a folder with a blank in its path: it gets a path of ours that has none.
        link = Path(folder) / "parent"
        link.symlink_to(target.parent.absolute())
        wanted = [mirror.codename, str(link / target.name), mirror.uri]
        command = [str(debootstrap.program), "--variant=minbase", f"--keyring={mirror.keyring}", *wanted]
        finished = run(command, seconds=BUILD_SECONDS, env=env)
    _must(finished, f"no Debian root could be made from {mirror.uri}")


def _downloader(tools: Path) -> Path:
    """The folder with what debootstrap takes for wget."""
    program = tools / "bin/wget"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(DOWNLOADER, encoding="utf-8")
    program.chmod(0o755)
    return program.parent


def _must(finished: Finished, otherwise: str) -> None:
    if finished.code != 0:
        raise GuestUnavailable(f"{otherwise}: {finished.complaint}")
