"""The view `token_owners`: whose a session, API token or link is that does not say so itself."""

from __future__ import annotations

from typing import Any

from . import Executor, Row

FIND_TOKEN_OWNER = "SELECT user_id FROM token_owners WHERE digest = :digest"


async def fetch_token(
    db: Executor, query: str, digest: str, user_id: str, values: dict[str, Any]
) -> Row | None:
    """Run a statement that finds a session, API token or link by its digest and user; return its row.

    Of one that an earlier version made, `user_id` is random bits, and the user is looked up.
    """
    row = await db.fetch_one(query, {**values, "digest": digest, "user_id": user_id})
    if row is None and (owner := await db.fetch_one(FIND_TOKEN_OWNER, {"digest": digest})):
        row = await db.fetch_one(query, {**values, "digest": digest, "user_id": str(owner["user_id"])})
    return row
