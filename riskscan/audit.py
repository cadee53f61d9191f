"""The audit log: entries are stored some at a time after the response, so that no request waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from aiohttp import web

from .database import DATABASE, Executor
from .database.audit_log import AuditEntry, Event, insert_entries, make_entry
from .database.drivers import error_name
from .errors import REQUEST_ID, ApiError
from .metrics import METRICS
from .request.forwarded import client_address

MAX_WAITING = 10_000  # entries, some 5 MB
GATHER_SECONDS = 0.1  # what comes meanwhile is stored with the first: a commit of SQLite takes 4 ms
MAX_GATHERED = 500  # 3 ms on the event loop, 10,000 entries 50 ms
RETRY_SECONDS = 1
STOP_SECONDS = 5

log = logging.getLogger("riskscan.audit")


class AuditLog:
    """The entries that wait to be stored; while the database is unavailable they are kept and retried."""

    def __init__(self, db: Executor) -> None:
        self._db = db
        self._entries: asyncio.Queue[AuditEntry] = asyncio.Queue()
        self.waiting = 0  # with those that are being stored

    def add(self, entry: AuditEntry) -> None:
        """Store an entry soon; if too many wait, it goes to the log instead."""
        if self.waiting < MAX_WAITING:
            self._entries.put_nowait(entry)
            self.waiting += 1
        else:
            log.error("not in the audit log: %s of %s [%s]", entry.event, entry.user_id, entry.request_id)

    async def run(self) -> None:
        """Store the entries as they come, until cancelled."""
        seconds = GATHER_SECONDS
        while True:
            entries = [await self._entries.get()]
            await asyncio.sleep(seconds)
            for _ in range(min(MAX_GATHERED - 1, self._entries.qsize())):
                entries.append(self._entries.get_nowait())
            failed = await self._store(entries)
            for entry in failed:  # behind the others, so that all have their turn
                self._entries.put_nowait(entry)
            for _ in entries:
                self._entries.task_done()
            self.waiting -= len(entries) - len(failed)
            seconds = RETRY_SECONDS if failed else GATHER_SECONDS

    async def _store(self, entries: list[AuditEntry]) -> list[AuditEntry]:
        """Store entries; return those that the database could not store now."""
        failed: list[AuditEntry] = []
        try:
            # a node that is lost must not stop the entries of the others
            parts = [[one] for one in entries] if await self._db.is_distributed() else [entries]
        except Exception as exc:
            log.warning("the audit log waits for the database: %s", error_name(exc.__cause__ or exc))
            return entries
        for part in parts:
            try:
                await insert_entries(self._db, part)
            except ApiError as exc:
                log.warning("the audit log waits for the database: %s", error_name(exc.__cause__ or exc))
                failed += part
            except Exception:
                if len(part) > 1:
                    parts += [[one] for one in part]  # those without the error are stored
                else:
                    log.exception("not in the audit log: %s [%s]", part[0].event, part[0].request_id)
        return failed

    async def drain(self) -> None:
        """Wait until all entries are stored."""
        await self._entries.join()


AUDIT_LOG = web.AppKey("AUDIT_LOG", AuditLog)


async def write_audit_log(app: web.Application) -> AsyncIterator[None]:
    """Store entries while the application runs, and those that are left when it stops."""
    audit_log = app[AUDIT_LOG] = AuditLog(app[DATABASE].low_priority)
    task = asyncio.create_task(audit_log.run())
    yield
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await audit_log.drain()
    task.cancel()
    if audit_log.waiting:
        log.error("%d entries are not in the audit log", audit_log.waiting)


def record(
    request: web.Request, event: Event, user_id: str | None, *, email: str = "", detail: str = ""
) -> None:
    """Add an entry with the address and the ID of the request; `detail` never has a secret or a text."""
    address, request_id = client_address(request), request[REQUEST_ID]
    if metrics := request.app[METRICS]:
        metrics.count_audit_entry(event)
    request.app[AUDIT_LOG].add(
        make_entry(event, user_id, email=email, detail=detail, address=address, request_id=request_id)
    )
