"""A language model that reads documents chunk by chunk, if one is configured."""

import asyncio
import contextlib
import logging
from typing import NamedTuple

import aiohttp

from ..concurrency import FairSemaphore
from ..logs import Event
from .completions import CompletionError, Completions, Denied, Item, TooLong, Unavailable
from .settings import Settings

CHUNK_SENTENCES = 60
CHUNK_CHARS = 6_000
# a typical endpoint finishes this many within the deadline
MAX_CHUNKS = 60
MAX_ATTEMPTS = 3
# of chunks in a row; the others are then left to the built-in analyser
MAX_FAILED_CHUNKS = 3
# of scans in a row; the model is then left alone until it answers a probe
MAX_FAILED_SCANS = 3
SECONDS_BETWEEN_PROBES = 60
PROBE = ["Tea was served."]

log = logging.getLogger(__name__)


class LanguageModelEvent(Event, frozen=True):
    """The language model is left alone for a while, or responds again."""

    state: str
    cause: str


class LanguageModelError(Exception):
    """The language model gave no usable response; the message is for people and holds no secret."""


class DocumentTooLong(LanguageModelError):
    """The document has more chunks than the language model is asked about."""


class NamedSentence(NamedTuple):
    """A sentence that the model reported, with its name of the risk; position counts units."""

    position: int
    risk: str
    category: str
    context: str


class Answer(NamedTuple):
    """What the model reported, the positions of the sentences that it did not read, and why it did not."""

    named: list[NamedSentence]
    unread: list[int]
    cause: str


class Progress:
    """The results for one document so far."""

    def __init__(self, sentences: int, deadline: float) -> None:
        self.deadline = deadline
        self.named: list[NamedSentence] = []
        self.unread = set(range(sentences))
        self.cause = ""
        self.denied = False
        self._failed_chunks = 0

    @property
    def stopped(self) -> bool:
        """Whether it is no use to send more chunks."""
        return self.denied or self._failed_chunks >= MAX_FAILED_CHUNKS

    def add(self, start: int, lines: list[str], items: list[Item]) -> None:
        self._failed_chunks = 0
        self.unread.difference_update(range(start, start + len(lines)))
        for number, risk, category in items:
            self.named.append(NamedSentence(start + number - 1, risk, category, lines[number - 1]))

    def fail(self, error: CompletionError) -> None:
        self._failed_chunks += 1
        self.cause = str(error)
        self.denied = self.denied or isinstance(error, Denied)


class LanguageModel:
    """Sends documents to the endpoint, a few chunks at a time; users take turns.

    After failed scans, or once the key is refused, a circuit breaker opens: no scan waits for the model
    until it has answered a probe, which is sent once a minute.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: Settings,
        seconds_between_probes: float = SECONDS_BETWEEN_PROBES,
    ) -> None:
        self._completions = Completions(session, settings)
        self._slots = FairSemaphore(settings.llm_parallel, settings.llm_parallel)
        self._timeout = settings.llm_timeout
        self._seconds_between_probes = seconds_between_probes
        self._failed_scans = 0
        self.recovery: asyncio.Task[None] | None = None

    @property
    def paused(self) -> bool:
        """Whether the circuit breaker is open."""
        return self.recovery is not None and not self.recovery.done()

    async def find_risks(self, user: str, sentences: list[str], seconds: float) -> Answer:
        """Send all sentences; raises LanguageModelError if no answer comes within `seconds`."""
        chunks = _split_into_chunks(sentences)
        if len(chunks) > MAX_CHUNKS:
            raise DocumentTooLong("the document is too long")
        if self.paused:
            raise LanguageModelError("it failed before, and has not responded to a probe since")
        progress = Progress(len(sentences), asyncio.get_running_loop().time() + seconds)
        try:
            async with asyncio.timeout_at(progress.deadline), asyncio.TaskGroup() as group:
                for start, lines in chunks:
                    group.create_task(self._read_in_turn(user, start, lines, progress))
        except TimeoutError:
            progress.cause = "it did not respond in time"
        failed = len(progress.unread) == len(sentences)
        # with little time left the model is not to blame
        if not failed or progress.denied or seconds > self._timeout / 2:
            self._count_scan(failed, progress)
        if failed:
            raise LanguageModelError(progress.cause)
        named = sorted(progress.named, key=lambda sentence: sentence.position)
        return Answer(named, sorted(progress.unread), progress.cause)

    async def _read_in_turn(self, user: str, start: int, lines: list[str], progress: Progress) -> None:
        async with self._slots.slot(user, None):
            await self._read(start, lines, progress)

    async def _read(self, start: int, lines: list[str], progress: Progress) -> None:
        """Read a chunk, in halves if it is too long for the model."""
        if progress.stopped:
            return
        try:
            progress.add(start, lines, await self._request_patiently(lines, progress.deadline))
        except TooLong as error:
            if len(lines) == 1:
                progress.fail(error)
                return
            middle = len(lines) // 2
            await self._read(start, lines[:middle], progress)
            await self._read(start + middle, lines[middle:], progress)
        except CompletionError as error:
            progress.fail(error)

    async def _request_patiently(self, lines: list[str], deadline: float) -> list[Item]:
        """Ask about these sentences, again if the endpoint may be available before the deadline."""
        for attempt in range(MAX_ATTEMPTS):
            try:
                return await self._completions.request(lines)
            except Unavailable as error:
                delay = 0.5 * 2.0**attempt if error.seconds is None else error.seconds
                too_late = asyncio.get_running_loop().time() + delay >= deadline
                if too_late or attempt + 1 == MAX_ATTEMPTS:
                    raise
            await asyncio.sleep(delay)
        raise AssertionError("the last attempt returns or raises")

    # -- the circuit breaker ---------------------------------------------------------------------------

    def _count_scan(self, failed: bool, progress: Progress) -> None:
        """Open the circuit breaker if this scan is one failure too many."""
        self._failed_scans = self._failed_scans + 1 if failed else 0
        if (progress.denied or self._failed_scans >= MAX_FAILED_SCANS) and not self.paused:
            level = logging.ERROR if progress.denied else logging.WARNING
            log.log(level, LanguageModelEvent("paused", f"the language model failed: {progress.cause}"))
            self.recovery = asyncio.create_task(self._wait_for_recovery())

    async def _wait_for_recovery(self) -> None:
        """Send a probe from time to time, and return once the model answers it."""
        while True:
            await asyncio.sleep(self._seconds_between_probes)
            with contextlib.suppress(CompletionError, TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self._completions.request(PROBE)
                break
        self._failed_scans = 0
        log.info(LanguageModelEvent("available", "the language model answered a probe"))

    async def close(self) -> None:
        """Stop sending probes."""
        if self.recovery:
            self.recovery.cancel()
            await asyncio.wait([self.recovery])


def _split_into_chunks(sentences: list[str]) -> list[tuple[int, list[str]]]:
    """Return chunks of sentences, each with the position of its first."""
    chunks: list[tuple[int, list[str]]] = []
    size = 0
    for position, sentence in enumerate(sentences):
        if not chunks or len(chunks[-1][1]) == CHUNK_SENTENCES or size + len(sentence) > CHUNK_CHARS:
            chunks.append((position, []))
            size = 0
        chunks[-1][1].append(sentence)
        size += len(sentence)
    return chunks
