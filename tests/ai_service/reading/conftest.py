"""Reading without limits of time: on a busy machine they would decide what a test finds."""

import pytest

from riskscan.ai_service.reading import ocr


@pytest.fixture(autouse=True)
def unlimited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "OCR_SECONDS", 10_000)
    monkeypatch.setattr(ocr, "PAGE_SECONDS", 10_000)
