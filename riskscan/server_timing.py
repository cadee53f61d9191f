"""Where the time of a request goes: how long it waited for the AI service and for the database."""

from __future__ import annotations

from contextvars import ContextVar

Timings = dict[str, float]  # seconds, by what they were spent on

# not a key of the request, which the database's pool does not know
SERVER_TIMING: ContextVar[Timings] = ContextVar("SPENT")


def start() -> Timings:
    """Begin to count for a request, and for the tasks that it starts; return what will hold the figures."""
    spent: Timings = {}
    SERVER_TIMING.set(spent)
    return spent


def add(on: str, seconds: float) -> None:
    """Count time that the present request has spent; outside of a request nobody counts."""
    spent = SERVER_TIMING.get(None)
    if spent is not None:
        spent[on] = spent.get(on, 0.0) + seconds
