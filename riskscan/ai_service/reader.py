"""The process that reads one document: `python -m riskscan.ai_service.reader NAME`.

Standard input: the length (8 bytes, big endian), the document, and then nothing until the parent ends.
Standard output: one line of JSON, the units or {"status", "code", "detail"}.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import threading
import zlib

from riskscan.ai_service import sentences, text
from riskscan.ai_service.errors import ServiceError, unreadable

MEMORY_BYTES = 1024**3
CPU_SECONDS = 50
FILE_BYTES = 256 * 1024**2


def limit() -> None:
    """Bound what this process and its children may use."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_with_parent() -> None:
    """Kill this process group once standard input ends: the parent is gone."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def answer(filename: str, data: bytes) -> str:
    """Read the document and return the line to write."""
    try:
        return json.dumps(read(filename, data), ensure_ascii=False)
    except ServiceError as refusal:
        return json.dumps({"status": refusal.status, "code": refusal.code, "detail": refusal.detail})


def read(filename: str, data: bytes) -> list[sentences.Unit]:
    """Read the document; raises ServiceError, for what the parsers of damaged files raise too."""
    try:
        units = list(sentences.units(text.blocks(filename, data)))
    except MemoryError:
        raise unreadable("The document needs too much memory to be read.") from None
    except RecursionError:
        raise unreadable("The document is nested too deeply to be read.") from None
    except (ValueError, LookupError, OSError, EOFError, AttributeError, TypeError, SyntaxError, zlib.error):
        raise unreadable("The document is damaged and could not be read.") from None
    if not units:
        raise unreadable("The document holds no text to analyse.")
    return units


def main() -> None:
    """Read, answer, end."""
    limit()
    size = int.from_bytes(sys.stdin.buffer.read(8), "big")
    # unbuffered from here on: the watcher reads the descriptor itself
    data = sys.stdin.buffer.read(size)
    end_with_parent()
    line = answer(sys.argv[1], data).encode("utf-8", "surrogatepass") + b"\n"
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    # the watcher may be inside a read; there is nothing left to clean up
    os._exit(0)


if __name__ == "__main__":
    main()
