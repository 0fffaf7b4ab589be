"""When to stop: SIGTERM or SIGINT, or what stands for them on Windows."""

import asyncio
import signal
import sys


def stop_requested() -> asyncio.Event:
    """An event of the running loop that is set by the first request to stop."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":  # no loop.add_signal_handler there
        for number in (signal.SIGINT, signal.SIGBREAK, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(event.set))
    else:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, event.set)
    return event
