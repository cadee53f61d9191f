"""The documents that the command line names: files, folders, patterns and standard input."""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..ai_service.errors import UnreadableDocument
from ..client.login import UsageError
from ..file_types import EXTENSIONS

MAX_DOCUMENTS = 10_000
MAX_MEGABYTES = 50
# hidden files, and the lock files of Office
LEFT_OUT = (".", "~$")


class TooManyDocuments(Exception):
    """There are more documents than one run scans."""


class ResultFile(NamedTuple):
    """The file that the result goes to, if there is one; `has_document` unless nothing is lost with it."""

    status: os.stat_result
    has_document: bool

    def is_same(self, status: os.stat_result) -> bool:
        return os.path.samestat(status, self.status)


class Document(NamedTuple):
    """A document; `path` is None for standard input, `data` is None until it is read."""

    path: Path | None
    data: bytes | None = None

    @property
    def name(self) -> str:
        """Return its path as it was named, in characters that every output can hold."""
        return str(self.path).encode("utf-8", "replace").decode() if self.path else "standard input"

    def read(self) -> bytes:
        """Return its bytes; raises OSError, and UnreadableDocument for more than 50 MB."""
        data = self.load() if self.data is None else self.data
        if len(data) > MAX_MEGABYTES * 1024**2:
            raise UnreadableDocument(f"The document is larger than {MAX_MEGABYTES} MB.")
        return data

    def load(self) -> bytes:
        """Return its bytes, of more than 50 MB a few more than these; raises OSError."""
        with self.path.open("rb") if self.path else contextlib.nullcontext(sys.stdin.buffer) as file:
            return file.read(MAX_MEGABYTES * 1024**2 + 1)


def list_documents(
    names: Sequence[str], complain: Callable[[str, str], None], result: ResultFile | None = None
) -> list[Document]:
    """Return the documents that are meant by the names, each once.

    The file in a folder that the result goes to is left out. `complain` gets the name of a folder that has
    no documents, and a sentence. Raises TooManyDocuments, and UsageError if the result would overwrite one of
    the documents.
    """
    documents: dict[Path | None, Document] = {}
    found = itertools.chain.from_iterable(find_paths(name, complain, result) for name in dict.fromkeys(names))
    for path in found:
        if path not in documents:
            documents[path] = load_pipe(Document(path))
        if len(documents) > MAX_DOCUMENTS:
            raise TooManyDocuments(f"these are more than {MAX_DOCUMENTS:,} documents; scan them in parts")
    return list(documents.values())


def load_pipe(document: Document) -> Document:
    """Load what is no regular file before the event loop runs, where ^C would not end the wait for it."""
    try:
        is_file = document.path and document.path.is_file()
        return document if is_file else document._replace(data=document.load())
    except OSError:
        return document  # one that cannot be read is named while the others are scanned


def find_paths(
    name: str, complain: Callable[[str, str], None], result: ResultFile | None
) -> Iterator[Path | None]:
    """Yield the paths that a name means, None for standard input; a file need not exist."""
    if name == "-":
        yield None
    elif os.path.isdir(name):
        yield from find_in_folder(name, complain, result)
    elif not os.path.exists(name) and any(character in name for character in "*?["):
        # a shell leaves a pattern as it is where it is quoted or matches nothing
        matches = sorted(itertools.islice(glob.iglob(name, recursive=True), MAX_DOCUMENTS + 1))
        for match in matches or [name]:
            yield from (
                find_in_folder(match, complain, result) if os.path.isdir(match) else find_file(match, result)
            )
    else:
        yield from find_file(name, result)


def find_file(name: str, result: ResultFile | None) -> list[Path]:
    """Return the path of a file. Raises UsageError if it is the file of the result."""
    if result and os.path.exists(name) and result.is_same(os.stat(name)):
        raise would_overwrite(name)
    return [Path(name)]


def find_in_folder(
    folder: str, complain: Callable[[str, str], None], result: ResultFile | None
) -> Iterator[Path]:
    """Yield the files below a folder that are documents by their extensions, and the folders that cannot be
    read; links are not followed, the result is left out. Raises UsageError if it would replace a document."""
    found = False
    unreadable: list[Path] = []
    for parent, folders, files in os.walk(
        folder, onerror=lambda error: unreadable.append(Path(error.filename))
    ):
        folders[:] = sorted(name for name in folders if not name.startswith(LEFT_OUT))
        for name in sorted(files):
            path = Path(parent, name)
            if (
                not name.startswith(LEFT_OUT)
                and name.lower().endswith(EXTENSIONS)
                and may_be_document(path, result)
            ):
                found = True
                yield path
    # as documents they fail to be read, and so the run fails and every output names them
    yield from unreadable
    if not found and not unreadable:
        complain(folder, "The folder has no documents.")


def may_be_document(path: Path, result: ResultFile | None) -> bool:
    """Return whether a path is a file, not a link, and not where the result goes, also where that cannot be
    told. Raises UsageError if the result would replace a document."""
    try:
        status = path.lstat()
    except OSError:
        return True
    if result and result.is_same(status):
        if result.has_document:
            raise would_overwrite(str(path))
        return False
    return stat.S_ISREG(status.st_mode)


def would_overwrite(name: str) -> UsageError:
    return UsageError(
        f"{name}: The result would overwrite this document. Write it elsewhere, or remove this file."
    )


def describe_os_error(error: OSError) -> str:
    """Return why a file cannot be read or written, such as "No such file or directory."."""
    return f"{error.strerror or type(error).__name__}."


def describe_unexpected(error: Exception) -> str:
    """Return what is known of a failure that nobody has foreseen, as one sentence."""
    return f"RiskScan failed: {type(error).__name__}: {error}."
