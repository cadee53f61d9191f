"""Marking a document in a process of its own, with the sandbox and the limits of the document readers."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from ..ai_service.processes import process_document
from ..errors import invalid_request
from .placing import Mark

MARKING_SECONDS = 52

log = logging.getLogger("riskscan.marking")


class MarkedFile(NamedTuple):
    """A marked document, the suffix of its name, its size, and the numbers of the findings marked in it.

    The file has no name on disk any more; the caller closes it.
    """

    content: io.FileIO
    suffix: str
    size: int
    placed: list[int]


async def mark_document(filename: str, data: bytes, marks: Sequence[Mark]) -> MarkedFile:
    """Mark a document; an empty name is that of a text.

    Raises 400 `invalid_request` if it is damaged, or needs too much memory or time.
    """
    head = json.dumps({"filename": filename, "marks": marks})
    with tempfile.TemporaryDirectory(prefix="riskscan-marking-") as folder:
        try:
            async with asyncio.timeout(MARKING_SECONDS):
                response = await process_document("marking", folder, head, data)
        except TimeoutError:
            raise invalid_request("Marking the document took too long.") from None
        if "trace" in response:
            log.error("marking a document failed: %s", response["trace"])
            raise invalid_request("The document could not be marked: it needs too much memory or time.")
        if "detail" in response:
            raise invalid_request(response["detail"])
        content = io.FileIO(os.path.join(folder, "marked"))
        return MarkedFile(content, response["suffix"], os.fstat(content.fileno()).st_size, response["placed"])
