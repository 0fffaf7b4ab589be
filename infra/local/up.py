"""`dev.py up`: boots the local cloud, prints its addresses as one JSON line, keeps it running until Ctrl-C."""

import json
import signal
import sys
import time
from argparse import Namespace

from infra.local.azurite import AzuriteMissing
from infra.local.child import ChildFailed
from infra.local.launch import Options
from infra.local.places import shown
from infra.local.stack import Stack

WATCH_SECONDS = 0.5
"""Between two looks whether all processes are still there."""


def main(asked: Namespace) -> int:
    """Exit code: 0 after Ctrl-C, 1 when something did not start or died. Only the JSON line goes to standard output."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = Options(machines=asked.machines, seed=asked.seed, port=asked.port)
    try:
        with Stack.start(options) as stack:
            print(json.dumps(addresses(stack)), flush=True)
            _say(f"Running; Ctrl-C stops it. Logs: {shown(stack.folder)}")
            _watch(stack)
    except (ChildFailed, AzuriteMissing) as failure:
        _say(str(failure))
        return 1
    except KeyboardInterrupt:
        _say("Stopped.")
    return 0


def addresses(stack: Stack) -> dict[str, str]:
    """What a client needs: the app for people (http) and for SDKs (https), ARM, certificate, token, storage."""
    return {
        "app": stack.host.app,
        "app_tls": stack.host.app_tls,
        "arm": stack.cloud.arm,
        "ca": stack.cloud.ca,
        "token": stack.cloud.token,
        "storage": stack.storage,
    }


def _watch(stack: Stack) -> None:
    """Raises ChildFailed when a process is gone; otherwise comes back never."""
    while (broken := stack.broken()) is None:
        time.sleep(WATCH_SECONDS)
    raise ChildFailed(broken)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
