"""host.json: Azure's defaults, every honoured key, refusal of wrong values by name, warnings for the rest."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.host.errors import Refused
from infra.local.host.hostjson import HostJson, QueueOptions, parse, read
from infra.local.places import PROJECT


def test_defaults_are_azures() -> None:
    assert parse({"version": "2.0"}) == HostJson(
        function_timeout=timedelta(minutes=30),
        route_prefix="api",
        queues=QueueOptions(
            max_polling_interval=timedelta(minutes=1),
            visibility_timeout=timedelta(0),
            batch_size=16,
            new_batch_threshold=8,
            max_dequeue_count=5,
            base64=True,
        ),
        log_level=logging.INFO,
        warnings=(),
    )


def test_every_key_is_read() -> None:
    queues = {
        "maxPollingInterval": "00:00:02",
        "visibilityTimeout": "1.00:00:30.5",
        "batchSize": 4,
        "newBatchThreshold": 1,
        "maxDequeueCount": 3,
        "messageEncoding": "none",
    }
    document = {
        "version": "2.0",
        "functionTimeout": "00:05:00",
        "logging": {"logLevel": {"default": "Warning"}},
        "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle"},
        "extensions": {"http": {"routePrefix": "/a/b/"}, "queues": queues},
    }
    assert parse(document) == HostJson(
        function_timeout=timedelta(minutes=5),
        route_prefix="a/b",
        queues=QueueOptions(
            max_polling_interval=timedelta(seconds=2),
            visibility_timeout=timedelta(days=1, seconds=30.5),
            batch_size=4,
            new_batch_threshold=1,
            max_dequeue_count=3,
            base64=False,
        ),
        log_level=logging.WARNING,
        warnings=(),
    )


def test_the_next_batch_is_fetched_at_half_the_batch_size_by_default() -> None:
    assert parse({"version": "2.0", "extensions": {"queues": {"batchSize": 6}}}).queues.new_batch_threshold == 3


def test_a_function_timeout_of_minus_one_is_unlimited() -> None:
    assert parse({"version": "2.0", "functionTimeout": "-1"}).function_timeout is None


@pytest.mark.parametrize(
    ("path", "warning"),
    [
        (("retry",), "retry"),
        (("extensions", "eventHubs"), "extensions.eventHubs"),
        (("extensions", "http", "maxOutstandingRequests"), "extensions.http.maxOutstandingRequests"),
        (("extensions", "queues", "batchsize"), "extensions.queues.batchsize"),
        (("logging", "applicationInsights"), "logging.applicationInsights"),
        (("logging", "logLevel", "Host.Results"), "logging.logLevel.Host.Results"),
    ],
)
def test_an_unknown_key_is_a_warning_that_names_it(path: tuple[str, ...], warning: str) -> None:
    document: dict[str, Any] = {"version": "2.0"}
    section = document
    for key in path[:-1]:
        section = section.setdefault(key, {})
    section[path[-1]] = {}
    assert parse(document).warnings == (f"host.json: {warning} is not honoured by the local host.",)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "version"),
        ({"version": "1.0"}, "version"),
        ([], "the document"),
        ({"version": "2.0", "functionTimeout": "5 minutes"}, "functionTimeout"),
        ({"version": "2.0", "functionTimeout": 300}, "functionTimeout"),
        ({"version": "2.0", "extensions": []}, "extensions"),
        ({"version": "2.0", "extensions": {"http": {"routePrefix": 1}}}, "extensions.http.routePrefix"),
        ({"version": "2.0", "logging": {"logLevel": {"default": "Loud"}}}, "logging.logLevel.default"),
    ],
)
def test_a_wrong_value_is_refused_by_name(document: object, named: str) -> None:
    with pytest.raises(Refused, match=named):
        parse(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("maxPollingInterval", "00:00:00.05"),
        ("maxPollingInterval", "00:01:01"),
        ("maxPollingInterval", 2000),
        ("visibilityTimeout", "30"),
        ("batchSize", 33),
        ("batchSize", 0),
        ("batchSize", True),
        ("newBatchThreshold", -1),
        ("maxDequeueCount", 0),
        ("maxDequeueCount", "5"),
        ("messageEncoding", "utf8"),
    ],
)
def test_a_wrong_queue_option_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(Refused, match=f"extensions.queues.{key}"):
        parse({"version": "2.0", "extensions": {"queues": {key: value}}})


def test_a_missing_or_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no host\.json"):
        read(tmp_path)
    (tmp_path / "host.json").write_text("{")
    with pytest.raises(Refused, match="not valid JSON"):
        read(tmp_path)


def test_the_apps_own_file_is_honoured_completely() -> None:
    assert read(PROJECT).warnings == ()
