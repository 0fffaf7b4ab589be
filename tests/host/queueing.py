"""What tests of queue triggers share: a queue of its own with a host whose function is fed by it, and what was seen."""

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import msgspec
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueServiceClient

from infra.local.azurite import Azurite
from tests.host.running import RunningHost, started, write_app

CODE = """
import json, sys, time
import azure.functions as func

app = func.FunctionApp()


@app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    seen = {"body": body, "id": message.id, "try": message.dequeue_count, "receipt": bool(message.pop_receipt)}
    for name in ("insertion_time", "expiration_time", "time_next_visible"):
        seen[name] = getattr(message, name).isoformat()
    sys.stdout.write("SEEN " + json.dumps(seen) + "\\n")  # one write: print makes two, and threads would mix them
    if body.startswith("fail"):
        raise ValueError(body)
    if body.startswith("sleep"):
        time.sleep(float(body.split()[1]))
    sys.stdout.write("DONE " + body + "\\n")
"""

QUICK = {"maxPollingInterval": "00:00:00.2", "visibilityTimeout": "00:00:01"}


def host_json(**queues: object) -> dict[str, Any]:
    return {"version": "2.0", "extensions": {"queues": {**QUICK, **queues}}}


class Scene:
    """One queue with a name of its own, and a host whose function is fed by it."""

    def __init__(self, azurite: Azurite, folder: Path) -> None:
        self.service = QueueServiceClient.from_connection_string(azurite.connection_string)
        self.name = f"t{uuid.uuid4().hex[:12]}"
        self.queue = self.service.get_queue_client(self.name)
        self.poison = self.service.get_queue_client(self.name + "-poison")
        self.connection = azurite.connection_string
        self.folder = folder

    def start(self, *arguments: str, code: str = CODE, **queues: object) -> RunningHost:
        app = write_app(self.folder, code, host_json(**queues))
        return started(app, *arguments, AzureWebJobsStorage=self.connection, QUEUE=self.name)

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.queue.send_message(base64.b64encode(body.encode()).decode())

    def count(self) -> int:
        return int(self.queue.get_queue_properties().approximate_message_count or 0)

    def poisoned(self) -> list[str]:
        try:
            return [message.content for message in self.poison.peek_messages(32)]
        except ResourceNotFoundError:
            return []


class Seen(msgspec.Struct, frozen=True):
    """What the function printed about one delivery, and when that was read."""

    body: str
    attempt: int
    document: dict[str, Any]


def seen(host: RunningHost) -> list[Seen]:
    documents = [json.loads(line.removeprefix("SEEN ")) for line in host.raw if line.startswith("SEEN ")]
    return [Seen(document["body"], document["try"], document) for document in documents]


def done(host: RunningHost) -> list[str]:
    return sorted(line.removeprefix("DONE ").strip() for line in host.raw if line.startswith("DONE "))
