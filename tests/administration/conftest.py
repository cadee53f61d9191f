"""The operator of the test's server."""

from __future__ import annotations

import pytest

from tests.support.application import Server
from tests.support.operator import Operator


@pytest.fixture
def operator(server: Server, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(server, capsys)
