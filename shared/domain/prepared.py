"""Types made ready for decoding, one thread at a time.

msgspec (0.22.0) learns a type when it first decodes one, and other threads see what it has learnt so far: two that meet
in the first decoding of a type with enumerations end the whole process by SIGSEGV (tests/domain/test_prepared.py).
"""

import threading
from typing import TypeVar

import msgspec

_Kind = TypeVar("_Kind")

_learning = threading.Lock()
_learnt: set[object] = set()


def prepared(kind: type[_Kind]) -> type[_Kind]:
    """The type itself, once msgspec knows it and everything in it. Every decoding goes through here."""
    if kind not in _learnt:
        with _learning:
            msgspec.json.Decoder(kind)
        _learnt.add(kind)
    return kind
