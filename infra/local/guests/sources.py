"""Reads the package sources of a Debian machine, in apt's one-line and deb822 formats (sources.list(5))."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

ETC_APT = Path("/etc/apt")


class AptSource(msgspec.Struct, frozen=True, kw_only=True):
    """One suite of one archive of binary packages. `signed_by`: path of the keyring, "" when not said or not a path."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


def machine_sources(etc: Path = ETC_APT) -> tuple[AptSource, ...]:
    """Every enabled source, in the order in which apt reads the files."""
    found: list[AptSource] = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.is_file() and path.suffix == ".list":
            found += parse_one_line(path.read_text(encoding="utf-8", errors="replace"))
        elif path.is_file() and path.suffix == ".sources":
            found += parse_deb822(path.read_text(encoding="utf-8", errors="replace"))
    return tuple(found)


def parse_one_line(text: str) -> Iterator[AptSource]:
    """`deb [option=value ...] uri suite component ...`, a line each; `#` starts a comment."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>[^#]*)", line)
        words = match["rest"].split() if match else []
        if match and len(words) >= 2:
            options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
            signed_by = _keyring(options.get("signed-by", ""))
            yield AptSource(uri=words[0], suite=words[1], components=tuple(words[2:]), signed_by=signed_by)


def parse_deb822(text: str) -> Iterator[AptSource]:
    """Paragraphs of `Field: value`; a paragraph stands for every pair of its URIs and suites."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = _fields(paragraph)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        components = tuple(fields.get("components", "").split())
        signed_by = _keyring(fields.get("signed-by", ""))
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptSource(uri=uri, suite=suite, components=components, signed_by=signed_by)


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _keyring(value: str) -> str:
    # Also allowed are fingerprints and a whole key block; only a file can be handed to debootstrap.
    paths = [word for word in re.split(r"[\s,]+", value) if word.startswith("/")]
    return paths[0] if paths else ""
