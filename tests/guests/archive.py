"""A package archive inside a guest's root folder, made on the spot, so that tests decide what is offered."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from infra.local.guests.commands import run

BUILD_SECONDS = 60.0


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into one package: control fields, maintainer scripts, configuration files."""

    name: str
    version: str
    fields: Mapping[str, str] = {}
    scripts: Mapping[str, str] = {}
    configuration: Mapping[str, str] = {}

    @property
    def control(self) -> str:
        fields = {"Package": self.name, "Version": self.version, "Architecture": "all", **self.fields}
        fields |= {"Maintainer": "Nobody <nobody@example.test>", "Description": "made for a test"}
        return "".join(f"{name}: {value}\n" for name, value in fields.items())


def offer(root: Path, archive: str, label: str, suite: str, *packages: Package) -> str:
    """Makes the archive in the root; its line for sources.list."""
    folder = root / "archives" / archive
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for package in packages:
        content = build(root, folder, package).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        name = f"Filename: ./{package.name}_{package.version}.deb\nSize: {len(content)}\nSHA256: {digest}\n"
        entries.append(package.control + name)
    index = "\n".join(entries).encode()
    (folder / "Packages").write_bytes(index)
    release = f"Label: {label}\nOrigin: Debian\nSuite: {suite}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
    release += f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    (folder / "Release").write_text(release, encoding="utf-8")
    return f"deb [trusted=yes] file:/archives/{archive} ./\n"


def build(root: Path, folder: Path, package: Package) -> Path:
    """Builds the package file into `folder` of the root, with the root's own dpkg."""
    tree = root / "archives/tree"
    run(["rm", "-rf", tree], seconds=BUILD_SECONDS)
    (tree / "DEBIAN").mkdir(parents=True)
    folder.mkdir(parents=True, exist_ok=True)
    (tree / "DEBIAN/control").write_text(package.control, encoding="utf-8")
    for name, text in package.scripts.items():
        script = tree / "DEBIAN" / name
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)
    for path, text in package.configuration.items():
        file = tree / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    if package.configuration:
        (tree / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in package.configuration), encoding="utf-8")
    deb = folder / f"{package.name}_{package.version}.deb"
    inside = [f"/{path.relative_to(root)}" for path in (tree, deb)]
    finished = run(["chroot", root, "dpkg-deb", "--root-owner-group", "--build", *inside], seconds=BUILD_SECONDS)
    assert finished.code == 0, finished.output
    return deb


def install_old(root: Path, *packages: Package) -> None:
    """Installs these packages, so that a newer one in an archive is an upgrade."""
    folder = root / "archives/old"
    debs = [f"/{build(root, folder, package).relative_to(root)}" for package in packages]
    finished = run(["chroot", root, "dpkg", "--install", *debs], seconds=BUILD_SECONDS)
    assert finished.code == 0, finished.output
