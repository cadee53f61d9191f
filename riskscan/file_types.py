"""The types of files that can be scanned, for the upload check, the AI service, the page and the API."""

from __future__ import annotations

from typing import NamedTuple


class FileType(NamedTuple):
    """A type of file; `signatures` are how its content may start, none for text.

    `reader` is the module of ai_service/reading that reads it. `content_types`, in lower case, tell the
    formats apart that are ZIP archives: the type of the main part, or what the file `mimetype` says.
    """

    name: str
    extensions: tuple[str, ...]
    signatures: tuple[bytes, ...]
    reader: str
    content_types: tuple[str, ...] = ()


PDF = FileType("PDF", (".pdf",), (b"%PDF-",), "pdf")
WORD = FileType(
    "Word",
    (".docx", ".docm", ".dotx", ".dotm"),
    (b"PK\x03\x04",),
    "word",
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
        "application/vnd.ms-word.document.macroenabled.main+xml",
        "application/vnd.ms-word.template.macroenabledtemplate.main+xml",
    ),
)
OPENDOCUMENT = FileType(
    "OpenDocument",
    (".odt", ".ott"),
    (b"PK\x03\x04",),
    "opendocument",
    ("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text-template"),
)
EXCEL = FileType(
    "Excel",
    (".xlsx", ".xlsm"),
    (b"PK\x03\x04",),
    "excel",
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
        "application/vnd.ms-excel.sheet.macroenabled.main+xml",
        "application/vnd.ms-excel.template.macroenabled.main+xml",
    ),
)
POWERPOINT = FileType(
    "PowerPoint",
    (".pptx", ".pptm", ".ppsx"),
    (b"PK\x03\x04",),
    "powerpoint",
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
        "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
        "application/vnd.ms-powerpoint.presentation.macroenabled.main+xml",
        "application/vnd.ms-powerpoint.slideshow.macroenabled.main+xml",
        "application/vnd.ms-powerpoint.template.macroenabled.main+xml",
    ),
)
PNG = FileType("PNG", (".png",), (b"\x89PNG\r\n\x1a\n",), "image")
JPEG = FileType("JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",), "image")
BMP = FileType("BMP", (".bmp",), (b"BM",), "image")
TIFF = FileType("TIFF", (".tif", ".tiff"), (b"II*\x00", b"MM\x00*"), "image")
TEXT = FileType("text", (".txt",), (), "text")
MARKDOWN = FileType("Markdown", (".md",), (), "markdown")
CSV = FileType("CSV", (".csv",), (), "csv")
HTML = FileType("HTML", (".html", ".htm"), (), "html")
MAIL = FileType("email", (".eml",), (), "mail")
RTF = FileType("RTF", (".rtf",), (b"{\\rtf",), "rtf")

FILE_TYPES = (
    PDF, WORD, EXCEL, POWERPOINT, OPENDOCUMENT, HTML, MAIL, RTF, TEXT, MARKDOWN, CSV, PNG, JPEG, BMP, TIFF,
)  # fmt: skip
SIGNATURES = {extension: known.signatures for known in FILE_TYPES for extension in known.extensions}
EXTENSIONS = tuple(SIGNATURES)
TYPES_BESIDE_IMAGES = tuple(known for known in FILE_TYPES if known.reader != "image")
# a text may begin with BM, but with none of the others
NEVER_TEXT = tuple(signature for known in FILE_TYPES if known is not BMP for signature in known.signatures)
