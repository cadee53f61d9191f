"""The documents that the command line names: files, folders, patterns and standard input."""

from __future__ import annotations

import glob
import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..ai_service.errors import UnreadableDocument
from ..file_types import EXTENSIONS

MAX_DOCUMENTS = 10_000
MAX_MEGABYTES = 50
# hidden files, and the lock files of Office
LEFT_OUT = (".", "~$")


class TooManyDocuments(Exception):
    """There are more documents than one run scans."""


class Document(NamedTuple):
    """A document; `path` is None for standard input, whose bytes are `data`."""

    path: Path | None
    data: bytes = b""

    @property
    def name(self) -> str:
        """Return its path as it was named, in characters that every output can hold."""
        return str(self.path).encode("utf-8", "replace").decode() if self.path else "standard input"

    def read(self) -> bytes:
        """Return its bytes; raises OSError, and UnreadableDocument for more than 50 MB."""
        data = self.data
        if self.path:
            with self.path.open("rb") as file:
                data = file.read(MAX_MEGABYTES * 1024**2 + 1)
        if len(data) > MAX_MEGABYTES * 1024**2:
            raise UnreadableDocument(f"The document is larger than {MAX_MEGABYTES} MB.")
        return data


def list_documents(names: Sequence[str], complain: Callable[[str, str], None]) -> list[Document]:
    """Return the documents that are meant by the names, each once; raises TooManyDocuments.

    `complain` gets the name of a folder that has no documents, and a sentence.
    """
    documents: dict[Path | None, Document] = {}
    for path in itertools.chain.from_iterable(find_paths(name, complain) for name in dict.fromkeys(names)):
        # read here rather than on the event loop, where ^C would not end the wait for it
        data = b"" if path else sys.stdin.buffer.read(MAX_MEGABYTES * 1024**2 + 1)
        documents.setdefault(path, Document(path, data))
        if len(documents) > MAX_DOCUMENTS:
            raise TooManyDocuments(f"these are more than {MAX_DOCUMENTS:,} documents; scan them in parts")
    return list(documents.values())


def find_paths(name: str, complain: Callable[[str, str], None]) -> Iterator[Path | None]:
    """Yield the paths that a name means, None for standard input; a file need not exist."""
    if name == "-":
        yield None
    elif os.path.isdir(name):
        yield from find_in_folder(name, complain)
    elif not os.path.exists(name) and any(character in name for character in "*?["):
        # a shell leaves a pattern as it is where it is quoted or matches nothing
        matches = sorted(itertools.islice(glob.iglob(name, recursive=True), MAX_DOCUMENTS + 1))
        if not matches:
            yield Path(name)
        for match in matches:
            yield from find_in_folder(match, complain) if os.path.isdir(match) else [Path(match)]
    else:
        yield Path(name)


def find_in_folder(folder: str, complain: Callable[[str, str], None]) -> Iterator[Path]:
    """Yield the files below a folder that are documents by their extensions, and the folders that cannot be
    read; links are not followed."""
    found = False
    unreadable: list[Path] = []
    for parent, folders, files in os.walk(
        folder, onerror=lambda error: unreadable.append(Path(error.filename))
    ):
        folders[:] = sorted(name for name in folders if not name.startswith(LEFT_OUT))
        for name in sorted(files):
            path = Path(parent, name)
            if not name.startswith(LEFT_OUT) and name.lower().endswith(EXTENSIONS) and may_be_file(path):
                found = True
                yield path
    # as documents they fail to be read, and so the run fails and every output names them
    yield from unreadable
    if not found and not unreadable:
        complain(folder, "The folder has no documents.")


def may_be_file(path: Path) -> bool:
    """Return whether a path is a file, also where that cannot be told; links are none."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return True


def describe_os_error(error: OSError) -> str:
    """Return why a file cannot be read or written, such as "No such file or directory."."""
    return f"{error.strerror or type(error).__name__}."


def describe_unexpected(error: Exception) -> str:
    """Return what is known of a failure that nobody has foreseen, as one sentence."""
    return f"RiskScan failed: {type(error).__name__}: {error}."
