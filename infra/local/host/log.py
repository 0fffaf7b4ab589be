"""Structured one-line logs on standard error: one JSON object a line. Never holds a header, a token or a body."""

import logging
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

Clock = Callable[[], datetime]
"""Gives the current UTC time."""

_encoder: Final = msgspec.json.Encoder()


class Logger:
    """Writes lines at or above a level (a number of Python's logging)."""

    def __init__(self, clock: Clock, level: int = logging.INFO) -> None:
        self._clock = clock
        self.level = level

    def info(self, message: str, **fields: str | int) -> None:
        """Progress."""
        self.write(logging.INFO, message, **fields)

    def warning(self, message: str, **fields: str | int) -> None:
        """Something is not as asked for; work goes on."""
        self.write(logging.WARNING, message, **fields)

    def error(self, message: str, **fields: str | int) -> None:
        """Something failed."""
        self.write(logging.ERROR, message, **fields)

    def write(self, level: int, message: str, **fields: str | int) -> None:
        """One line: time, level, message, then the fields in the order given."""
        if level < self.level:
            return
        time = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": time, "level": logging.getLevelName(level).lower(), "message": message, **fields}
        sys.stderr.buffer.write(_encoder.encode(line) + b"\n")
        sys.stderr.buffer.flush()


class LibraryHandler(logging.Handler):
    """Brings what libraries in the host's own process log (aiohttp, the storage SDK) into the same lines."""

    def __init__(self, logger: Logger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """The record's text, and its error's type and text without the stack."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({record.exc_info[1]!r})"
        self._logger.write(record.levelno, text, logger=record.name)
