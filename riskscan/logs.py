"""The log: one line an event on standard error, for people or as JSON."""

from __future__ import annotations

import logging
import sys
import time

import msgspec

# these would log values, and a line for each connection
NOISY = ("aiosqlite", "asyncio", "databases", "yoyo")
encoder = msgspec.json.Encoder()


class Event(msgspec.Struct, frozen=True):
    """What happened, as fields; a log call takes one in the place of its message."""

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in msgspec.structs.asdict(self).items())


class ConsoleFormatter(logging.Formatter):
    """`time LEVEL logger: message`; the second is written out once, and not for each line."""

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._text = ""

    def format_time(self, record: logging.LogRecord) -> str:
        second = int(record.created)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{int(record.msecs):03}Z"

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.format_time(record)} {record.levelname} {record.name}: {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(ConsoleFormatter):
    """A JSON object with `time`, `level`, `logger`, and the event's fields or a `message`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {"time": self.format_time(record), "level": record.levelname, "logger": record.name}
        if isinstance(record.msg, Event):
            fields |= msgspec.structs.asdict(record.msg)
        else:
            fields["message"] = record.getMessage()
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return encoder.encode(fields).decode()


def configure(level: str, form: str) -> None:
    """Log from `level` on, as `console` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # what the lines do not show need not be found out for each: not even where in the code they come from
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # as the manual of logging has it
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
