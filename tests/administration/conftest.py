"""The operator of the test's server."""

from __future__ import annotations

import pytest

from tests.support.administration import Operator
from tests.support.application import Server


@pytest.fixture
def operator(server: Server, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(server, capsys)
