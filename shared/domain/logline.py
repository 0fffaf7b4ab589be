"""How a log line is written: what happened in plain words, then the facts as `key=value`, one line each."""

import re

import msgspec

_PLAIN = re.compile(r'[^\s"=\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+')


def logline(what: str, **facts: object) -> str:
    """`what key=value ...`; a value that is empty or holds a space, a quote, `=` or a control character is quoted.

    So whatever a caller or Azure wrote stays inside its value and inside its line.
    """
    return " ".join([what, *(f"{key}={_value(value)}" for key, value in facts.items())])


def _value(value: object) -> str:
    text = "" if value is None else str(value)
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """As JSON writes it, all in ASCII where it could break a line."""
    clean = text.encode("utf-8", "replace").decode()
    written = msgspec.json.encode(clean).decode()
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in written)
