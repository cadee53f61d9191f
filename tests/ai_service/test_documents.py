"""Documents of each format, and hostile ones, which the service refuses and survives."""

import asyncio
import contextlib
import io
import itertools
import os
import shutil
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from PIL import Image

from riskscan.ai_service.processes import MAX_READERS
from riskscan.file_types import OPENDOCUMENT, POWERPOINT
from tests.ai_service.documents import archive, body, content_types, pdf, relationships, word
from tests.ai_service.pdfs import at, paged
from tests.ai_service.service import (
    EndlessTesseract,
    Service,
    assert_refused,
    contexts,
    install_tesseract,
    read_sample,
    run_service,
    scan,
    scan_sample,
)

pytestmark = pytest.mark.slow

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed")

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has seccomp")


def word_bomb() -> bytes:
    return word(body(" " * 200_000_000))


def many_entries() -> bytes:
    paragraph = "<w:p><w:r><w:t>The pump may fail.</w:t></w:r></w:p>"
    return word(body(paragraph), **{f"word/{number}.xml": b"" for number in range(10_001)})


def laughing_word() -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    inner = "<w:p><w:r><w:t>&a9;</w:t></w:r></w:p>"
    return word(body(inner, f'<!DOCTYPE d [<!ENTITY a0 "The pump may fail. ">{entities}]>'))


def deep_word() -> bytes:
    depth = 20_000
    inner = "<w:tbl><w:tr><w:tc>" * depth + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * depth
    return word(body(inner))


def slide_bomb() -> bytes:
    return archive(
        {
            "[Content_Types].xml": content_types({"deck.xml": POWERPOINT.content_types[0]}),
            "_rels/.rels": relationships({"r1": ("officeDocument", "deck.xml")}),
            "deck.xml": " " * 200_000_000,
        }
    )


def deep_opendocument() -> bytes:
    space = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    depth = 20_000
    content = (
        f'<office:text xmlns:office="{space}">' + "<office:text>" * depth + "</office:text>" * (depth + 1)
    )
    return archive({"mimetype": OPENDOCUMENT.content_types[0], "content.xml": content})


def pdf_bomb() -> bytes:
    packer = zlib.compressobj(9)
    block = b"(x) Tj " * 150_000
    content = b"".join(packer.compress(block) for _ in range(1000)) + packer.flush()
    stream = b"<</Length %d /Filter /FlateDecode>>\nstream\n%s\nendstream" % (len(content), content)
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R>>"
    return pdf([b"<</Type /Catalog /Pages 2 0 R>>", b"<</Type /Pages /Kids [3 0 R] /Count 1>>", page, stream])


def many_pages() -> bytes:
    kids = b" ".join(b"%d 0 R" % number for number in range(3, 10_003))
    page = b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>>"
    return pdf(
        [
            b"<</Type /Catalog /Pages 2 0 R>>",
            b"<</Type /Pages /Kids [%s] /Count 10000>>" % kids,
            *[page] * 10_000,
        ]
    )


def self_reference() -> bytes:
    return pdf(
        [b"<</Type /Catalog /Pages 2 0 R>>", b"<</Type /Pages /Parent 2 0 R /Kids [2 0 R 2 0 R] /Count 4>>"]
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_image() -> bytes:
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(5001) * 40_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def endless_tiff() -> bytes:
    """A TIFF whose only directory says that it is followed by itself."""
    file = io.BytesIO()
    Image.new("1", (8, 8)).save(file, "TIFF")
    data = bytearray(file.getvalue())
    start = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, start)[0]
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    return bytes(data)


def endless_sentence() -> bytes:
    return b"no " * 1_500_000


def one_wide_row() -> bytes:
    return b"," * 3_000_000 + b"a"


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a Word bomb": ("a.docx", word_bomb),
    "10,001 entries": ("a.docx", many_entries),
    "entities": ("a.docx", laughing_word),
    "a deep Word file": ("a.docx", deep_word),
    "a bomb of slides": ("a.pptx", slide_bomb),
    "a deep OpenDocument file": ("a.odt", deep_opendocument),
    "a PDF bomb": ("a.pdf", pdf_bomb),
    "10,000 pages": ("a.pdf", many_pages),
    "pages of themselves": ("a.pdf", self_reference),
    "a huge image": ("a.png", huge_image),
    "an endless TIFF": ("a.tif", endless_tiff),
    "too much text": ("a.txt", endless_sentence),
    "too many cells": ("a.csv", one_wide_row),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_documents_are_refused_and_the_service_lives(
    http: aiohttp.ClientSession, service: Service, kind: str
) -> None:
    name, make = HOSTILE[kind]
    await assert_refused(http, service, 422, (name, make()))
    status, answer = await scan(http, service, text="The pump leaks badly and may fail.")
    assert (status, len(answer["data"])) == (200, 1)
    assert service.process.poll() is None


async def test_a_page_of_numbers_is_read(http: aiohttp.ClientSession, service: Service) -> None:
    """When columns were looked for beside each of 14,400 numbers, there was not time enough for it."""
    places = itertools.product(range(120), repeat=2)
    numbers = [at(4 + 4.9 * column, 830 - 6.9 * row, "77", 2) for row, column in places]
    document = paged([at(50, 800, "The pump leaks badly and may fail.")], numbers)
    status, answer = await scan(http, service, ("numbers.pdf", document))
    assert (status, contexts(answer["data"])) == (200, ["The pump leaks badly and may fail."])


async def test_a_nul_in_a_name_is_harmless(http: aiohttp.ClientSession, service: Service) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\0.txt"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    sent = part + b"The pump leaks badly and may fail.\r\n--x--\r\n"
    async with http.post(f"{service.url}/scan", data=sent, headers=headers) as response:
        assert (response.status, len((await response.json())["data"])) == (200, 1)


async def test_a_name_is_on_no_command_line(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    script = f'cat /proc/[0-9]*/cmdline | tr "\\0" " " > {tmp_path}/command-lines; exit 1'
    _, image = read_sample("scan.png")
    with run_service(PATH=install_tesseract(tmp_path, script)) as own:
        await assert_refused(http, own, 422, ("merger-with-acme.png", image))
    command_lines = (tmp_path / "command-lines").read_text()
    assert "riskscan.ai_service.reader" in command_lines
    assert "merger-with-acme" not in command_lines


@contextlib.asynccontextmanager
async def all_readers_busy(
    http: aiohttp.ClientSession, folder: Path
) -> AsyncIterator[tuple[Service, list[asyncio.Task[tuple[int, Any]]]]]:
    """Run a service of which each reader recognizes an image without end; yield it and their scans."""
    tesseract = EndlessTesseract(folder)
    with contextlib.closing(tesseract), run_service(PATH=tesseract.path) as own:
        images = [asyncio.create_task(scan(http, own, read_sample("scan.png"))) for _ in range(MAX_READERS)]
        await asyncio.to_thread(tesseract.wait_for_starts, MAX_READERS)
        yield own, images


async def test_requests_without_a_user_key_may_use_all_readers(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with all_readers_busy(http, tmp_path) as (_, images):
        for image in images:
            image.cancel()


async def test_scan_is_given_up_once_its_caller_has_left(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with all_readers_busy(http, tmp_path) as (own, images):
        for image in images:
            image.cancel()
        await asyncio.gather(*images, return_exceptions=True)
        assert (await scan(http, own, ("plan.txt", b"The pump may fail.")))[0] == 200
        assert "status=422" not in own.log()  # of an image, at the end of the time for reading


@needs_linux
async def test_readers_and_their_children_have_no_network(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection({server.getsockname()})"
        script = f'{sys.executable} -c "{code}" 2>> {tmp_path}/errors; exit 1'
        with run_service(PATH=install_tesseract(tmp_path, script)) as own:
            await assert_refused(http, own, 422, read_sample("scan.png"))
    assert "PermissionError" in (tmp_path / "errors").read_text()


@needs_linux
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
def test_sockets_of_all_families_are_refused(family: str) -> None:
    code = (
        "import socket\nfrom riskscan.ai_service.sandbox import enter_sandbox\nassert enter_sandbox()\n"
        f"try: socket.socket(socket.{family}, socket.SOCK_DGRAM)\nexcept PermissionError: print('refused')"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (completed.stdout, completed.stderr) == ("refused\n", "")


@needs_linux
@pytest.mark.parametrize(
    "call",
    [
        "ptrace(0, 0, 0, 0)",  # PTRACE_TRACEME
        "process_vm_readv(os.getpid(), None, 0, None, 0, 0)",
        "process_vm_writev(os.getpid(), None, 0, None, 0, 0)",
        "syscall(434, os.getpid(), 0)",  # pidfd_open
        "syscall(438, -1, 0, 0)",  # pidfd_getfd
    ],
)
def test_calls_that_access_other_processes_are_refused(call: str) -> None:
    code = (
        "import ctypes, errno, os, sys\nfrom riskscan.ai_service.sandbox import enter_sandbox\n"
        "if sys.argv[1] == 'confined': assert enter_sandbox()\n"
        f"ctypes.CDLL(None, use_errno=True).{call}\n"
        "print(errno.errorcode.get(ctypes.get_errno()))"
    )
    results = [
        subprocess.run([sys.executable, "-c", code, state], capture_output=True, text=True, check=True).stdout
        for state in ("free", "confined")
    ]
    assert results[0] != "EACCES\n"
    assert results[1] == "EACCES\n"


@needs_linux
async def test_scoring_processes_have_no_network(http: aiohttp.ClientSession, service: Service) -> None:
    await scan(http, service, text="The budget is tight.")
    scorers = psutil.Process(service.process.pid).children()
    assert scorers
    assert all(has_seccomp_filter(scorer.pid) for scorer in scorers)


async def test_scoring_processes_have_a_lower_priority_than_the_service(
    http: aiohttp.ClientSession, service: Service
) -> None:
    await scan(http, service, text="The budget is tight.")
    parent = psutil.Process(service.process.pid)
    assert {scorer.nice() - parent.nice() for scorer in parent.children()} == {9}


def has_seccomp_filter(pid: int) -> bool:
    return "\nSeccomp:\t2\n" in Path(f"/proc/{pid}/status").read_text()


async def test_an_entity_reads_no_file_and_asks_no_host(
    http: aiohttp.ClientSession, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("The pump leaks badly and may fail.")
    for address in (f"file://{tmp_path}/secret", f"{service.url}/secret"):
        inner = "<w:p><w:r><w:t>There is no backup plan. &x;</w:t></w:r></w:p>"
        document = word(body(inner, f'<!DOCTYPE d [<!ENTITY x SYSTEM "{address}">]>'))
        status, answer = await scan(http, service, ("a.docx", document))
        assert (status, contexts(answer["data"])) == (200, ["There is no backup plan."])


async def test_tracked_changes_and_nested_tables_are_read_once(
    http: aiohttp.ClientSession, service: Service
) -> None:
    def run(text: str) -> str:
        return f"<w:r><w:t>{text}</w:t></w:r>"

    leak = run("The pump leaks badly and may fail.")
    unpaid = run("The second instalment has not been paid.")
    inner = (
        f"<w:p>{run('The supplier ')}<w:del><w:r><w:delText>always pays</w:delText></w:r></w:del>"
        f"<w:ins>{run('may cancel the order without notice.')}</w:ins></w:p>"
        f"<w:tbl><w:tr><w:tc><w:tbl><w:tr><w:tc><w:p>{leak}</w:p></w:tc></w:tr></w:tbl><w:p/></w:tc></w:tr></w:tbl>"
        f"<w:sdt><w:sdtContent><w:p>{unpaid}</w:p></w:sdtContent></w:sdt>"
    )
    _, answer = await scan(http, service, ("a.docx", word(body(inner))))
    assert contexts(answer["data"]) == [
        "The supplier may cancel the order without notice.",
        "The pump leaks badly and may fail.",
        "The second instalment has not been paid.",
    ]


@needs_tesseract
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("scan.png", "The retaining wall is cracked and may collapse."),
        ("khmer_scan.tif", "ការសាងសង់យឺតជាងផែនការពីរខែ។"),
        ("khmer_scan.pdf", "ថវិកាគម្រោងមិនគ្រប់គ្រាន់សម្រាប់ដំណាក់កាលទីពីរទេ។"),
    ],
)
async def test_images_and_scanned_pages_are_read(
    http: aiohttp.ClientSession, service: Service, name: str, line: str
) -> None:
    assert line in contexts(await scan_sample(http, service, name))


@needs_tesseract
async def test_images_and_pages_without_text_are_refused(
    http: aiohttp.ClientSession, service: Service
) -> None:
    white = io.BytesIO()
    Image.new("L", (300, 200), "white").save(white, "PNG")
    assert "No text" in await assert_refused(http, service, 422, ("white.png", white.getvalue()))
    await assert_refused(http, service, 422, read_sample("blank.pdf"))
    cut = read_sample("scan.png")[1][:900]
    assert "damaged" in await assert_refused(http, service, 422, ("cut.png", cut))


async def test_without_tesseract_images_are_refused_with_the_packages_to_install(
    http: aiohttp.ClientSession, tmp_path: object
) -> None:
    with run_service(PATH=f"{tmp_path}{os.sep}nothing") as bare:
        for name in ("scan.png", "khmer_scan.pdf"):
            assert "tesseract-ocr-khm" in await assert_refused(http, bare, 422, read_sample(name))
