"""App settings as the Functions host reads them: `%NAME%` placeholders, connections, switches."""

import re
from collections.abc import Mapping

from infra.local.host.errors import Refused

Settings = Mapping[str, str]

_PLACEHOLDER = re.compile(r"%([^%]+)%")
_TRUE = frozenset({"true", "1"})


def resolved(text: str, settings: Settings, where: str) -> str:
    """The text with every `%NAME%` replaced by that setting. Raises Refused naming `where` when one is missing."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in settings:
            raise Refused(f"{where} uses %{name}%, but there is no app setting {name}.")
        return settings[name]

    return _PLACEHOLDER.sub(value, text)


def connection_string(name: str, settings: Settings, where: str) -> str:
    """The storage connection of a binding: the setting `AzureWebJobs{name}`, else `{name}`; none = AzureWebJobsStorage.

    Source: "Azure Queue storage trigger", attribute Connection. Identity-based connections are not supported here.
    """
    name = name or "AzureWebJobsStorage"
    for setting in (f"AzureWebJobs{name}", name):
        if settings.get(setting):
            return settings[setting]
    raise Refused(f"{where} needs the app setting {name}, a storage connection string, and it is not there.")


def switched_on(name: str, settings: Settings) -> bool:
    """Whether a setting says true or 1."""
    return settings.get(name, "").strip().lower() in _TRUE


def disabled(function: str, settings: Settings) -> bool:
    """`AzureWebJobs.NAME.Disabled`, or with double underscores where a dot is not allowed in a variable's name."""
    return any(switched_on(name.format(function), settings) for name in _DISABLED_NAMES)


_DISABLED_NAMES = ("AzureWebJobs.{}.Disabled", "AzureWebJobs__{}__Disabled")
