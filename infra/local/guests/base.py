"""The pristine Debian root, made once and kept in the cache folder, and the copies that runs work on."""

import os
import platform
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.guests.commands import SYSTEM_PATH, GuestUnavailable, TookTooLong, run
from infra.local.guests.debootstrap import build, find_debootstrap
from infra.local.guests.mirror import Mirror, choose_mirror
from infra.local.guests.network import connect
from infra.local.guests.sources import machine_sources

PROGRAMS = ("apt-get", "apt-config", "chroot", "cp", "dpkg")

NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""policy-rc.d: 101 = action forbidden by policy, so no package's script starts a service."""

NO_SYNC = "force-unsafe-io\n"
"""dpkg need not wait for the disk: what a power cut would spoil is copied anew for the next run."""

COPY_SECONDS = 300.0

BASE, UNFINISHED = "debian-", ".building-"


def make_root(cache: Path, progress: Callable[[str], None]) -> Path:
    """The base for the machine's own Debian release: from `cache`, else made there (about a minute, 200 MB).

    Raises GuestUnavailable.
    """
    mirror = _examine()
    base = cache.absolute() / f"{BASE}{mirror.codename}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache):
            _sweep(cache, keep=base)
            if not base.is_dir():
                progress(f"making a Debian root from {mirror.uri} ({mirror.codename}; once, about a minute)")
                _make(cache.absolute(), mirror, base)
    except (OSError, TookTooLong) as error:
        raise GuestUnavailable(f"no Debian root could be made: {error}") from error
    return base


def clone_root(base: Path, target: Path) -> Path:
    """Copies the base to the new folder `target` and gives it the machine's present way to the mirror.

    Raises GuestUnavailable.
    """
    unfinished = target.with_name(f".copying-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        copied = run(["cp", "-a", "--reflink=auto", base, unfinished], seconds=COPY_SECONDS)
        if copied.code != 0:
            raise GuestUnavailable(f"the Debian root could not be copied: {copied.complaint}")
        _settle(unfinished)
        connect(unfinished, _examine())
        unfinished.rename(target)
    except (OSError, TookTooLong) as error:
        raise GuestUnavailable(f"the Debian root could not be copied: {error}") from error
    return target


def _examine() -> Mirror:
    """Whether this machine can have a guest, and from where. Raises GuestUnavailable."""
    if sys.platform != "linux":
        raise GuestUnavailable("the real guest needs Linux")
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    if release.get("ID") != "debian" or not release.get("VERSION_CODENAME"):
        raise GuestUnavailable(
            f"the real guest needs a Debian machine, this is {release.get('PRETTY_NAME', 'another')}"
        )
    if os.geteuid() != 0:
        raise GuestUnavailable("the real guest needs root, for chroot")
    missing = [name for name in PROGRAMS if shutil.which(name, path=SYSTEM_PATH) is None]
    if missing:
        raise GuestUnavailable(f"the real guest needs {', '.join(missing)}")
    return choose_mirror(machine_sources(), release["VERSION_CODENAME"])


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One maker at a time in a cache folder; others wait. The lock ends with the process that holds it."""
    import fcntl  # not there on Windows, where this is never reached

    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(cache: Path, keep: Path) -> None:
    """Removes what interrupted makers left, and bases of other releases."""
    for folder in cache.iterdir():
        if folder.name.startswith((UNFINISHED, BASE)) and folder.name != keep.name:
            shutil.rmtree(folder)


def _make(cache: Path, mirror: Mirror, base: Path) -> None:
    unfinished = cache / f"{UNFINISHED}{uuid.uuid4().hex}"
    tools = cache / "tools"
    try:
        build(find_debootstrap(tools), mirror, unfinished, tools)
        for package in (unfinished / "var/cache/apt/archives").glob("*.deb"):
            package.unlink()
        unfinished.rename(base)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _settle(root: Path) -> None:
    (root / "var/log/dpkg.log").write_text("", encoding="utf-8")  # from here on it tells what the guest did
    (root / "etc/dpkg/dpkg.cfg.d/throwaway").write_text(NO_SYNC, encoding="utf-8")
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text(NO_SERVICES, encoding="utf-8")
    policy.chmod(0o755)
