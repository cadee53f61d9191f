"""The log: one line per event on standard error, for the console or as JSON."""

from __future__ import annotations

import logging
import sys
import time

import msgspec

# at INFO and below these log bound values, or a line per connection
NOISY_LOGGERS = ("aiosqlite", "asyncio", "databases", "yoyo")
encoder = msgspec.json.Encoder()


class Event(msgspec.Struct, frozen=True):
    """An event with its fields, passed to a logger in place of a message."""

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in msgspec.structs.asdict(self).items())


class ConsoleFormatter(logging.Formatter):
    """`time LEVEL logger: message`, with the time in UTC."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(ConsoleFormatter):
    """A JSON object with `time`, `level`, `logger`, and the event's fields or a `message`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {"time": self.formatTime(record), "level": record.levelname, "logger": record.name}
        if isinstance(record.msg, Event):
            fields |= msgspec.structs.asdict(record.msg)
        else:
            fields["message"] = record.getMessage()
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return encoder.encode(fields).decode()


def configure(level: str, log_format: str) -> None:
    """Log records of `level` and above, as `console` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # no line shows threads, processes or callers: not finding them out takes a tenth less CPU for
    # GET /api/auth/me under load (29 November); "Optimization" in the manual of logging
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
