"""The words that select updates: classifications, KB numbers, name masks, reboot settings, and their spelling variants.

Sources: Microsoft.Compute, Microsoft.HybridCompute and Microsoft.Maintenance specifications, and the spellings found in
documentation and real bodies. A run and a maintenance configuration are read with the same words.
"""

import re
from collections.abc import Callable

from shared.domain.errors import invalid

# Longest list taken in one field; keeps a run row within Table Storage's 64 KiB per property.
LONGEST_LIST = 200
LONGEST_ENTRY = 200  # characters

WINDOWS_WORDS = (
    "Critical",
    "Security",
    "UpdateRollUp",
    "FeaturePack",
    "ServicePack",
    "Definition",
    "Tools",
    "Updates",
)
LINUX_WORDS = ("Critical", "Security", "Other")
_VARIANTS = {
    "criticalupdate": "Critical",
    "securityupdate": "Security",
    "definitionupdate": "Definition",
    "others": "Other",
    "tool": "Tools",
    "update": "Updates",
}
_REBOOT_WORDS = {
    "ifrequired": "IfRequired",
    "rebootifrequired": "IfRequired",
    "never": "Never",
    "neverreboot": "Never",
    "always": "Always",
    "alwaysreboot": "Always",
}
_KB = re.compile(r"(?:KB)?([0-9]{1,10})", re.IGNORECASE)
NAME_MASK = re.compile(r"[A-Za-z0-9*?]+")  # spec: alphanumerics plus * and ?
PACKAGE_MASK = re.compile(r"[A-Za-z0-9*?\[\]!.+:~^_%=-]+")  # characters of Debian and RPM names and versions, and masks


def whole_security(classes: tuple[str, ...] | None, target: str) -> tuple[str, ...] | None:
    """Azure's Linux extension treats Critical and Security as one: it widens one alone, and rejects one plus Other."""
    chosen = set(classes or ())
    if "Other" in chosen and len(chosen & {"Critical", "Security"}) == 1:
        raise invalid(target, "On Linux, Critical and Security go together: give both with Other, or neither.")
    return ("Critical", "Security") if chosen and "Other" not in chosen else classes


def require_selection(target: str, *lists: tuple[str, ...] | None) -> None:
    """Raises RequestError 400 when every list is empty: then nothing could ever be installed."""
    if not any(lists):
        raise invalid(target, "Select at least one classification or one entry of an include list.")


def words(given: tuple[str, ...] | None, known: tuple[str, ...], target: str) -> tuple[str, ...] | None:
    """Classifications in Azure's spelling, whatever case, blanks, plural. Raises RequestError 400 for another word."""
    table = {word.lower(): word for word in known}

    def word(index: int, text: str) -> str:
        key = text.replace(" ", "").lower()
        singular = key.removesuffix("s")
        found = (
            table.get(key) or table.get(singular) or table.get(_VARIANTS.get(singular, _VARIANTS.get(key, "")).lower())
        )
        if found is None:
            raise invalid(f"{target}[{index}]", f"'{text}' is not a classification here; use {', '.join(known)}.")
        return found

    return _each(given, target, word)


def kb_numbers(given: tuple[str, ...] | None, target: str) -> tuple[str, ...] | None:
    """KB numbers without their prefix. Raises RequestError 400 for what is none."""

    def number(index: int, text: str) -> str:
        match = _KB.fullmatch(text.strip())
        if match is None:
            raise invalid(f"{target}[{index}]", f"'{text}' is not a KB number; write it like 5042881 or KB5042881.")
        return match.group(1)

    return _each(given, target, number)


def masks(given: tuple[str, ...] | None, pattern: re.Pattern[str], target: str) -> tuple[str, ...] | None:
    """Name masks, as they are. Raises RequestError 400 for characters that no name has."""

    def mask(index: int, text: str) -> str:
        if not pattern.fullmatch(text):
            raise invalid(
                f"{target}[{index}]", f"'{text}' is not a name mask; it may hold a name and the wildcards * and ?."
            )
        return text

    return _each(given, target, mask)


def _each(given: tuple[str, ...] | None, target: str, read: Callable[[int, str], str]) -> tuple[str, ...] | None:
    """Every entry read, doubles dropped, order kept; an empty list is the same as none."""
    if given is not None and len(given) > LONGEST_LIST:
        raise invalid(target, f"At most {LONGEST_LIST} entries are taken in one list.")
    if any(len(text) > LONGEST_ENTRY for text in given or ()):
        raise invalid(target, f"An entry may have at most {LONGEST_ENTRY} characters.")
    return tuple(dict.fromkeys(read(index, text) for index, text in enumerate(given or ()))) or None


def reboot_word(text: str, target: str) -> str:
    """IfRequired, Never or Always, from any spelling in documentation. Raises RequestError 400 for another word."""
    word = _REBOOT_WORDS.get(text.strip().lower())
    if word is None:
        raise invalid(target, f"'{text}' is not a reboot setting; use IfRequired, Never or Always.")
    return word
