"""The routes: IDs in paths are canonical UUIDs, and the history offers every filter."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from riskscan.request.filters import FILTER_FIELDS
from riskscan.routes import OPERATIONS
from tests.support.client import Person, assert_error, sign_up, text_of

ID = "0b4e3c1a-7f6d-4c2b-9a8e-5d1f0c3b2a49"
TEMPLATES = sorted({path for one in OPERATIONS for path in (one.path, one.page) if "_id}" in path})


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "value",
    ["x", "%00", ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f"{ID}0", f"%20{ID}"],
)
async def test_an_id_that_is_no_canonical_uuid_is_404(alice: Person, template: str, value: str) -> None:
    path = template.replace("{scan_id}", value).replace("{token_id}", value).replace("{share_id}", value)
    for method in ("GET", "POST", "DELETE"):
        reply = await alice.request(method, path)
        if path.startswith("/api/"):
            assert_error(reply, 404, "not_found")
        assert reply.status == 404


async def test_a_path_beside_ids_is_405_for_other_methods(alice: Person) -> None:
    reply = await alice.delete("/api/scans/export")
    assert_error(reply, 405, "method_not_allowed")
    assert set(reply.headers["Allow"].split(",")) == {"GET", "HEAD", "OPTIONS"}
    assert_error(await alice.delete(f"/api/scans/{uuid.uuid4()}"), 404, "not_found")


async def test_the_history_has_a_form_field_for_every_filter(guest: Person) -> None:
    await sign_up(guest)
    await guest.post("/scan", data={"text": "tight budget"})
    digest = hashlib.sha256(b"tight budget").hexdigest()
    page = text_of(await guest.get(f"/scans?sha256={digest}"))
    assert [name for name in FILTER_FIELDS if f'name="{name}"' not in page] == []
