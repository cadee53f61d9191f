"""The list of file types, and the reader that has to know each of them."""

from importlib import import_module

import pytest

from riskscan.ai_service.errors import UnreadableDocument
from riskscan.ai_service.reading.documents import detect_type
from riskscan.file_types import BMP, EXCEL, EXTENSIONS, FILE_TYPES, PDF, PNG, TEXT, WORD, FileType
from tests.ai_service.documents import archive, content_types, relationships

parametrize_types = pytest.mark.parametrize("file_type", FILE_TYPES, ids=lambda file_type: file_type.name)


@parametrize_types
def test_the_reader_has_a_module_for_each_type(file_type: FileType) -> None:
    module = import_module(f"riskscan.ai_service.reading.{file_type.reader}")
    assert callable(module.read_blocks)


def test_an_extension_belongs_to_one_type() -> None:
    assert len(EXTENSIONS) == sum(len(file_type.extensions) for file_type in FILE_TYPES)
    assert all(extension.startswith(".") and extension == extension.lower() for extension in EXTENSIONS)


@parametrize_types
def test_name_and_content_of_a_type_are_detected_as_this_type(file_type: FileType) -> None:
    for extension in file_type.extensions:
        for signature in file_type.signatures or (b"plain text",):
            assert detect_type(f"Plan{extension.upper()}", signature + b" more") is file_type


@pytest.mark.parametrize(
    ("name", "content", "file_type"),
    [
        ("plan.txt", b"%PDF-1.7", PDF),
        ("plan.txt", b"\r\n  %PDF-1.7", PDF),
        ("plan.pdf", b"From a printer:\n%PDF-1.7", PDF),
        ("plan.txt", b"From a printer:\n%PDF-1.7", TEXT),
        ("plan.pdf", b"PK\3\4", WORD),
        ("plan.xlsx", b"PK\3\4", EXCEL),
        ("plan", b"PK\5\6", WORD),
        ("plan.jpg", b"\x89PNG\r\n\x1a\n", PNG),
        ("plan.png", b"BM", BMP),
        ("plan.txt", b"BM", TEXT),
        ("plan.xyz", b"plain", TEXT),
    ],
)
def test_content_counts_more_than_the_name(name: str, content: bytes, file_type: FileType) -> None:
    assert detect_type(name, content) is file_type


@pytest.mark.parametrize("file_type", [known for known in FILE_TYPES if known.signatures])
def test_text_under_the_name_of_another_type_is_refused(file_type: FileType) -> None:
    with pytest.raises(UnreadableDocument, match=file_type.name):
        detect_type(f"plan{file_type.extensions[0]}", b"plain text")


def package(media_type: str) -> bytes:
    """An Open XML document whose main part has this content type, or a file with this `mimetype`."""
    if "opendocument" in media_type:
        return archive({"mimetype": media_type, "content.xml": "<x/>"})
    return archive(
        {
            "[Content_Types].xml": content_types({"main.xml": media_type}),
            "_rels/.rels": relationships({"r1": ("officeDocument", "main.xml")}),
            "main.xml": "<x/>",
        }
    )


@pytest.mark.parametrize("name", ["plan.docx", "plan.xlsx", "plan.pdf", "plan.txt", "plan"])
@pytest.mark.parametrize("file_type", [known for known in FILE_TYPES if known.content_types])
def test_a_zip_archive_is_told_by_what_is_inside(file_type: FileType, name: str) -> None:
    for media_type in file_type.content_types:
        assert detect_type(name, package(media_type)) is file_type


def test_formats_that_are_zip_archives_have_content_types() -> None:
    for known in FILE_TYPES:
        assert bool(known.content_types) == (b"PK\3\4" in known.signatures)
        assert all(name == name.lower() for name in known.content_types)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"plan.txt": "text", "plan.docx": "PK"}, "ZIP archive"),
        ({"index/document.iwa": "x"}, "Pages, Numbers and Keynote"),
        ({"mimetype": "application/epub+zip"}, "ZIP archive"),
        ({"[Content_Types].xml": "<Types", "_rels/.rels": "<"}, "damaged"),
    ],
)
def test_other_archives_are_refused_in_words(parts: dict[str, str], words: str) -> None:
    for name in ("plan.docx", "plan.zip"):
        with pytest.raises(UnreadableDocument, match=words):
            detect_type(name, archive(parts))


def test_an_encrypted_archive_is_refused_in_words() -> None:
    data = bytearray(package(WORD.content_types[0]))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        position = data.find(signature)
        while position >= 0:
            data[position + offset] |= 1
            position = data.find(signature, position + 4)
    with pytest.raises(UnreadableDocument, match="password"):
        detect_type("plan.docx", bytes(data))


@pytest.mark.parametrize("name", ["plan.doc", "risks.xls", "risks.xlsx", "note.msg"])
def test_files_of_old_office_versions_are_refused_with_the_types_to_save_them_as(name: str) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        detect_type(name, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512))
    assert ".docx, .xlsx, .pptx or PDF, a message as .eml" in refused.value.detail
