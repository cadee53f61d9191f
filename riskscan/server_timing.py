"""The Server-Timing of a request: how long it waited for the AI service and for the database."""

from __future__ import annotations

from contextvars import ContextVar

Timings = dict[str, float]  # seconds by name

# a context variable rather than a request key, because the database does not know the request
SERVER_TIMING: ContextVar[Timings] = ContextVar("SERVER_TIMING")


def start() -> None:
    """Start the timings of a new request, to which this task and the tasks it starts add."""
    SERVER_TIMING.set({})


def add(name: str, seconds: float) -> None:
    """Add to the timings of the current request; outside of a request nothing is recorded."""
    timings = SERVER_TIMING.get(None)
    if timings is not None:
        timings[name] = timings.get(name, 0.0) + seconds
