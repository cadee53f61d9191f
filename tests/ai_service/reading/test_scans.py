# ruff: noqa: E501
"""Pages that are pictures: scans in PDFs and TIFFs."""

import io
import shutil
import time
from email.message import EmailMessage

import pytest
from PIL import Image, ImageChops

from riskscan.ai_service.errors import UnreadableDocument
from riskscan.ai_service.reading import documents, ocr
from riskscan.ai_service.reading.enhance import enhance, find_slope
from tests.ai_service.documents import read
from tests.ai_service.pdfs import at, column, draw, paged, scanned, tiff

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed")

LINES = [
    "The watermill has no permit for the new weir, and the county never",
    "answered the second letter of the miller. The old weir was broken by",
    "the flood of last May and cannot be mended.",
]
SENTENCES = [
    "The watermill has no permit for the new weir, and the county never answered the second letter of the miller.",
    "The old weir was broken by the flood of last May and cannot be mended.",
]


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.slow
@needs_tesseract
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turned_pages_are_read(turn: int) -> None:
    image = draw(LINES * 3).rotate(turn, expand=True)
    for texts in (read("a.pdf", scanned(image)).texts, read("a.png", png(image)).texts):
        assert (texts[:2], len(texts)) == (SENTENCES, 6)


def lean(image: Image.Image, slope: float) -> Image.Image:
    return image.rotate(slope, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


def photograph(image: Image.Image, slope: float = 0.0) -> Image.Image:
    """A page that leans on a dark desk, with a shadow over its left side."""
    desk = Image.new("L", (1500, 2000), 40)
    paper = image.point([60 + shade * 2 // 3 for shade in range(256)])
    mask = Image.new("L", image.size, "white")
    desk.paste(
        paper.rotate(slope, Image.Resampling.BICUBIC, expand=True), (60, 90), mask.rotate(slope, expand=True)
    )
    shadow = (
        Image.linear_gradient("L").rotate(90).resize(desk.size).point([90 + n * 2 // 3 for n in range(256)])
    )
    return ImageChops.multiply(desk, shadow)


@pytest.mark.slow
@needs_tesseract
@pytest.mark.parametrize("slope", [3, -6, 93])
def test_pages_that_lean_are_read(slope: float) -> None:
    image = lean(draw(LINES * 6), slope)
    for texts in (read("a.pdf", scanned(image)).texts, read("a.png", png(image)).texts):
        assert (texts[:2], len(texts)) == (SENTENCES, 12)


@pytest.mark.slow
@needs_tesseract
def test_photographs_of_pages_are_read() -> None:
    texts = read("a.png", png(photograph(draw(LINES * 6), 4))).texts
    assert (texts[:2], len(texts)) == (SENTENCES, 12)


@pytest.mark.parametrize("slope", [-9, -2.5, 0.5, 4])
def test_the_slope_of_lines_is_found(slope: float) -> None:
    assert find_slope(lean(draw(LINES), slope).reduce(2)) == -slope


def test_straight_pages_on_white_paper_stay_as_they_are() -> None:
    for image in (draw(LINES), draw(LINES).rotate(90, expand=True), draw([])):
        assert enhance(image) is image


def test_the_paper_of_a_photograph_becomes_white() -> None:
    shades = photograph(draw(LINES * 6)).histogram()
    assert sum(shades[230:]) == 0
    image = enhance(photograph(draw(LINES * 6))).crop((200, 260, 1100, 1300))
    shades = image.histogram()
    # nearly all is paper, and the letters are dark in the shadow, too
    assert sum(shades[250:]) > 0.8 * sum(shades)
    assert sum(image.crop((0, 0, 300, 1000)).histogram()[:200]) > 1000


@pytest.mark.slow
@needs_tesseract
@pytest.mark.parametrize("step", [34, 50, 68])
def test_the_space_between_lines_does_not_break_a_sentence(step: int) -> None:
    assert read("a.pdf", scanned(draw(LINES, step))).texts == SENTENCES


@pytest.mark.slow
@needs_tesseract
def test_columns_of_a_scan_are_not_mixed() -> None:
    left = [
        "The watermill has no permit",
        "for the new weir, and the",
        "county never answered the",
        "second letter of the miller.",
        "The old weir is broken and",
        "cannot be mended this year.",
    ]
    right = [
        "The library opens at nine",
        "and closes at six. On the",
        "first Sunday of the month",
        "stories are read aloud to",
        "the children of the town,",
        "and there is some cake.",
    ]
    image = draw(left)
    image.paste(draw(right).crop((100, 0, 600, 1684)), (640, 0))
    texts = read("a.pdf", scanned(image)).texts
    assert texts[0] == SENTENCES[0]
    assert texts[1] == "The old weir is broken and cannot be mended this year."
    assert texts[2] == "The library opens at nine and closes at six."


@pytest.mark.slow
@needs_tesseract
def test_a_line_of_text_over_a_picture_does_not_hide_it() -> None:
    stamp = at(60, 20, "Copied for the county archive on 4 May 2026", 8)
    reading = read("a.pdf", scanned(draw(LINES), over=stamp))
    assert reading.texts == [*SENTENCES, "Copied for the county archive on 4 May 2026"]


@pytest.mark.slow
@needs_tesseract
def test_a_stamp_over_all_pictures_is_left_out() -> None:
    stamp = at(60, 20, "Copied for the county archive on 4 May 2026", 8)
    assert read("a.pdf", scanned(draw(LINES), draw(LINES), over=stamp)).texts == SENTENCES * 2


def test_a_hidden_text_layer_is_read_instead_of_its_picture() -> None:
    layer = b"3 Tr " + b"".join(column(60, 700, [*LINES, "This word is in the layer alone: xylophone."]))
    reading = read("a.pdf", scanned(draw(["Something else"]), over=layer))
    assert reading.texts == [*SENTENCES, "This word is in the layer alone: xylophone."]


@pytest.mark.slow
@needs_tesseract
def test_all_pages_of_a_long_scan_are_read() -> None:
    images = [draw([f"The barn number {number} has no roof and costs too much."]) for number in range(1, 15)]
    expected = [f"The barn number {number} has no roof and costs too much." for number in range(1, 15)]
    assert read("a.pdf", scanned(*images)).texts == expected
    reading = read("a.tif", tiff(*images))
    assert reading.texts == expected
    assert [unit.place.page for unit in reading.units] == list(range(1, 15))


@pytest.mark.slow
@needs_tesseract
def test_pages_for_which_there_is_no_time_are_named() -> None:
    notes: list[str] = []
    started = time.monotonic() - ocr.OCR_SECONDS
    read_pages = dict(enumerate(ocr.recognize_pages([draw(LINES)] * 3, started), 12))
    assert not read_pages
    ocr.note_unread({}, range(12, 15), 14, notes)
    assert notes == [
        "Pages 12 to 14 of 14 were not read: there was no time left. Send the rest as another document."
    ]


@needs_tesseract
def test_an_image_for_which_there_is_no_time_is_not_called_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "PAGE_SECONDS", 0)
    with pytest.raises(UnreadableDocument, match="took too long"):
        read("a.png", png(draw(LINES)))


@needs_tesseract
def test_attachments_of_an_email_have_the_time_for_ocr_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "OCR_SECONDS", 10)
    message = EmailMessage()
    message.add_attachment(png(draw(LINES)), maintype="image", subtype="png", filename="a.png")
    message.add_attachment(scanned(draw(LINES)), maintype="application", subtype="pdf", filename="b.pdf")
    notes: list[str] = []
    started = time.monotonic() - 20
    assert [block.kind for block in documents.read_blocks("a.eml", message.as_bytes(), notes, started)] == [
        "heading",
        "heading",
    ]
    assert notes == [
        f"“{name}”: The attachment was not read. Reading the scanned pages took too long;"
        " send fewer pages at a time."
        for name in ("a.png", "b.pdf")
    ]


@pytest.mark.slow
@needs_tesseract
def test_pages_that_are_hard_to_read_are_named() -> None:
    blurred = draw(LINES, size=14).resize((240, 336)).resize((1190, 1684))
    reading = read("a.pdf", scanned(draw(LINES), blurred))
    assert reading.texts[:2] == SENTENCES
    assert reading.notes == ["Page 2 of 2 was hard to read; what was recognized there may be wrong."]


@pytest.mark.slow
@needs_tesseract
def test_a_text_layer_that_says_other_than_the_page_is_not_shown() -> None:
    layer = b"3 Tr " + b"".join(
        column(60, 700, ["Wkh exglw ri wkh fdqdo zdv qhyhu vljqhg, dqg wkh orfn nhhshu"] * 3)
    )
    assert read("a.pdf", scanned(draw(LINES), over=layer)).texts == SENTENCES


def test_without_tesseract_the_pages_that_were_not_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnreadableDocument, match="tesseract-ocr-khm"):
        read("a.pdf", scanned(draw(LINES)))
    reading = read("a.pdf", paged(column(60, 700, LINES), b"0 0 500 500 re f", b"0 0 500 500 re f", b""))
    assert reading.texts == SENTENCES
    (note,) = reading.notes
    assert note.startswith("Pages 2 and 3 of 4 were not read: reading pictures of text needs Tesseract")
