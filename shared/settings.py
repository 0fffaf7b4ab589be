"""The app's settings; the only reader of the environment. A wrong one is refused at first use, by name."""

import os
from collections.abc import Mapping
from datetime import timedelta

import msgspec

ARM = "https://management.azure.com"


class SettingError(Exception):
    """A setting is missing or cannot be understood; the message names it and says what to write."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. The README's table lists the environment names, a test keeps it complete."""

    storage: str
    base_url: str
    arm_endpoint: str
    arm_audience: str
    identity: str
    subscriptions: tuple[str, ...]
    assessment_age: timedelta
    maximum_duration: timedelta
    authenticated: bool


NAMES = {
    "storage": "AzureWebJobsStorage",
    "base_url": "OUM_BASE_URL",
    "arm_endpoint": "OUM_ARM_ENDPOINT",
    "arm_audience": "OUM_ARM_AUDIENCE",
    "identity": "AZURE_CLIENT_ID",
    "subscriptions": "OUM_SUBSCRIPTIONS",
    "assessment_age": "OUM_ASSESSMENT_AGE",
    "maximum_duration": "OUM_MAXIMUM_DURATION",
    "authenticated": "WEBSITE_AUTH_ENABLED",
}


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingError."""
    return Settings(
        storage=_required(environment, "storage", "the storage account's connection string"),
        base_url=_required(environment, "base_url", "the app's own public URL, for example https://updates.contoso.com").rstrip("/"),
        arm_endpoint=environment.get(NAMES["arm_endpoint"]) or ARM,
        arm_audience=environment.get(NAMES["arm_audience"]) or ARM,
        identity=environment.get(NAMES["identity"], ""),
        subscriptions=_list(environment.get(NAMES["subscriptions"], "")),
        assessment_age=_duration(environment, "assessment_age", "PT24H"),
        maximum_duration=_duration(environment, "maximum_duration", "PT3H55M"),
        authenticated=environment.get(NAMES["authenticated"], "").lower() == "true",
    )  # fmt: skip


def _required(environment: Mapping[str, str], field: str, what: str) -> str:
    value = environment.get(NAMES[field], "")
    if not value:
        raise SettingError(f"The setting {NAMES[field]} is missing: write {what} there.")
    return value


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def _duration(environment: Mapping[str, str], field: str, default: str) -> timedelta:
    text = environment.get(NAMES[field]) or default
    try:
        span = msgspec.convert(text, timedelta)
    except msgspec.ValidationError as error:
        raise SettingError(
            f"The setting {NAMES[field]} is '{text}': write an ISO 8601 duration like {default}."
        ) from error
    if span <= timedelta():
        raise SettingError(f"The setting {NAMES[field]} is '{text}': it must be longer than zero.")
    return span
