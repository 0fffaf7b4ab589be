"""The app's settings; the only reader of the environment. A wrong one is refused at first use, by name."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta

import msgspec

ARM = "https://management.azure.com"
LONGEST_NAME = 200  # characters of the deployment's name (ours); it stands in a tag, whose value has 256 at most
_ACCOUNT = re.compile(r"(?:^|;)\s*AccountName=([^;]+)", re.IGNORECASE)
_EMULATED = "devstoreaccount1"  # the emulator's account, whose connection string need not name it


class SettingError(Exception):
    """A setting is missing or cannot be understood; the message names it and says what to write."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. The README's table lists the environment names, a test keeps it complete."""

    storage: str
    base_url: str
    deployment: str
    arm_endpoint: str
    arm_audience: str
    identity: str
    subscriptions: tuple[str, ...]
    assessment_age: timedelta
    maximum_duration: timedelta
    events_endpoint: str
    authenticated: bool


NAMES = {
    "storage": "AzureWebJobsStorage",
    "base_url": "OUM_BASE_URL",
    "deployment": "OUM_DEPLOYMENT",
    "arm_endpoint": "OUM_ARM_ENDPOINT",
    "arm_audience": "OUM_ARM_AUDIENCE",
    "identity": "AZURE_CLIENT_ID",
    "subscriptions": "OUM_SUBSCRIPTIONS",
    "assessment_age": "OUM_ASSESSMENT_AGE",
    "maximum_duration": "OUM_MAXIMUM_DURATION",
    "events_endpoint": "OUM_EVENTS_ENDPOINT",
    "authenticated": "WEBSITE_AUTH_ENABLED",
}


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingError."""
    return Settings(
        storage=_required(environment, "storage", "the storage account's connection string"),
        base_url=_required(environment, "base_url", "the app's own public URL, for example https://updates.contoso.com").rstrip("/"),
        deployment=_deployment(environment),
        arm_endpoint=environment.get(NAMES["arm_endpoint"]) or ARM,
        arm_audience=environment.get(NAMES["arm_audience"]) or ARM,
        identity=environment.get(NAMES["identity"], ""),
        subscriptions=_list(environment.get(NAMES["subscriptions"], "")),
        assessment_age=_duration(environment, "assessment_age", "PT24H"),
        maximum_duration=_duration(environment, "maximum_duration", "PT3H55M"),
        events_endpoint=environment.get(NAMES["events_endpoint"], ""),
        authenticated=environment.get(NAMES["authenticated"], "").lower() == "true",
    )  # fmt: skip


def _required(environment: Mapping[str, str], field: str, what: str) -> str:
    value = environment.get(NAMES[field], "")
    if not value:
        raise SettingError(f"The setting {NAMES[field]} is missing: write {what} there.")
    return value


def _deployment(environment: Mapping[str, str]) -> str:
    """The name by which deployments tell each other apart; without one the storage account's, which nobody shares."""
    account = _ACCOUNT.search(environment.get(NAMES["storage"], ""))
    name = environment.get(NAMES["deployment"], "") or (account[1].strip() if account else _EMULATED)
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise SettingError(f"The setting {NAMES['deployment']} must be a name of at most {LONGEST_NAME} characters.")
    return name


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
