"""The process that reads one document: `python -m riskscan.ai_service.reader`.

Standard input: the name in UTF-8 and the document, each after its length (8 bytes, big endian), then end
of file, when the parent finishes or dies. Any local user could read a name on the command line.
Standard output: one line of JSON, {"units", "notes"}, {"status", "code", "detail"}, or after a bug {"trace"}.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from .errors import ServiceError, UnreadableDocument, format_trace
from .reading import documents, sentences
from .sandbox import NICENESS, enter_sandbox

MAX_MEMORY_BYTES = 1024**3
MAX_CPU_SECONDS = 50
MAX_FILE_BYTES = 256 * 1024**2


def limit_resources() -> None:
    """Limit the memory, CPU time and file sizes of this process and its children."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def exit_with_parent() -> None:
    """Kill this process group once standard input is closed: the parent is gone."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def respond(filename: str, data: bytes) -> str:
    """Read the document and return the line to write."""
    try:
        return json.dumps(read_document(filename, data), ensure_ascii=False)
    except ServiceError as error:
        return json.dumps({"status": error.status, "code": error.code, "detail": error.detail})
    except Exception as error:
        return json.dumps({"trace": format_trace(error)})


def read_document(filename: str, data: bytes) -> dict[str, list[Any]]:
    """Read the document; raises ServiceError."""
    notes: list[str] = []
    units = list(sentences.split_into_units(documents.read_blocks(filename, data, notes)))
    if not units:
        raise UnreadableDocument("No readable text found in the document.")
    return {"units": units, "notes": notes}


def receive() -> bytes:
    """Return the next bytes of standard input that follow their length."""
    return sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(8), "big"))


def main(respond: Callable[[str, bytes], str] = respond) -> None:
    """Read the document, write the response and exit."""
    limit_resources()
    enter_sandbox()
    filename, data = receive().decode(), receive()
    # from here on the thread alone reads the descriptor, unbuffered
    exit_with_parent()
    line = respond(filename, data).encode("utf-8", "surrogatepass") + b"\n"
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    # the thread may still be reading, and there is nothing left to clean up
    os._exit(0)


if __name__ == "__main__":
    main()
