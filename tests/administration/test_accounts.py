"""`riskscan users` and `riskscan tokens` on a database in use."""

from __future__ import annotations

import asyncio
import io
import sys
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from riskscan.commands import CommandError
from riskscan.database import DATABASE
from tests.support.administration import Operator
from tests.support.application import SECRET, Server
from tests.support.client import PASSWORD, Person, assert_error, bearer, create_token, sign_up
from tests.support.program import run_command


async def log_in(guest: Person, email: str, password: str = PASSWORD) -> Any:
    return await guest.post("/api/auth/login", json={"email": email, "password": password})


@pytest.mark.settings(registration_domains=())
async def test_operator_adds_accounts_where_registration_is_closed(
    guest: Person, operator: Operator, database_url: str
) -> None:
    environ = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "BCRYPT_COST": "4"}
    added = await asyncio.to_thread(
        run_command, "users", "add", " Ana@Example.com", typed=f"{PASSWORD}\n", **environ
    )
    assert (added.returncode, added.stdout) == (0, "Account created: ana@example.com\n")
    assert PASSWORD not in added.stdout + added.stderr
    assert (await log_in(guest, "ana@example.com")).status == 200
    again = await asyncio.to_thread(
        run_command, "users", "add", "ana@example.com", typed=f"{PASSWORD}\n", **environ
    )
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "there is an account with the email ana@example.com already" in again.stderr
    assert [row["email"] for row in await operator.json("users", "list")] == ["ana@example.com"]


async def test_log_ins_that_an_earlier_version_allows_to_a_disabled_account_are_refused(
    people: Callable[[], Person], alice: Person, server: Server
) -> None:
    browser, token = people(), (await create_token(alice))["token"]
    await browser.post("/login", data={"username": alice.email, "password": PASSWORD})
    # the versions of its tokens stay, as those of tokens that were made after it was disabled
    await server.app[DATABASE].execute(
        "UPDATE users SET disabled_at = created_at WHERE id = :id", {"id": alice.id}
    )
    for headers in ({}, bearer(token)):
        assert_error(await alice.get("/api/auth/me", headers=headers), 401, "not_authenticated")
    assert (await browser.get("/account")).status == 303


async def test_disabled_account_is_told_so_only_with_the_right_password(
    people: Callable[[], Person], alice: Person, bob: Person, operator: Operator
) -> None:
    guest, browser = people(), people()
    token = (await create_token(alice))["token"]
    await browser.post("/login", data={"username": alice.email, "password": PASSWORD})
    assert (await browser.get("/account")).status == 200
    assert "revoked" in await operator("users", "disable", " ALICE@example.com")
    for headers in ({}, bearer(token)):
        assert_error(await alice.get("/api/auth/me", headers=headers), 401, "not_authenticated")
    assert (await browser.get("/account")).status == 303
    assert_error(await log_in(guest, alice.email, "wrong"), 401, "invalid_credentials")
    assert_error(await log_in(guest, alice.email), 403, "account_disabled")
    page = await browser.post("/login", data={"username": alice.email, "password": PASSWORD})
    assert page.status == 403
    assert "This account is disabled. Ask whoever runs this server." in page.body.decode()
    assert (await bob.get("/api/auth/me")).status == 200
    listed = {row["email"]: row for row in await operator.json("users", "list")}
    assert listed[alice.email]["disabled_at"]
    assert listed[bob.email]["disabled_at"] is None
    await operator("users", "enable", alice.email)
    assert (await log_in(guest, alice.email)).status == 200
    assert_error(await alice.get("/api/auth/me", headers=bearer(token)), 401, "not_authenticated")


async def test_log_out_ends_sessions_and_access_tokens_but_no_api_tokens(
    people: Callable[[], Person], alice: Person, operator: Operator
) -> None:
    browser = people()
    await sign_up(browser, "eve@example.com")
    token = (await create_token(alice))["token"]
    await operator("users", "log-out", alice.email)
    assert_error(await alice.get("/api/auth/me"), 401, "not_authenticated")
    assert (await alice.get("/api/auth/me", headers=bearer(token))).status == 200
    assert (await browser.get("/account")).status == 200
    await operator("users", "log-out", browser.email)
    assert (await browser.get("/account")).status == 303


class Interrupted(io.StringIO):
    """Standard input during which somebody presses ^C."""

    def readline(self, size: int | None = -1) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


async def test_delete_asks_unless_told_not_to(
    alice: Person, bob: Person, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.scan(text="tight budget")
    for typed in ("", "\n", "no\n"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(CommandError, match="nothing was deleted"):
            await operator("users", "delete", alice.email)
    monkeypatch.setattr(sys, "stdin", Interrupted())
    with pytest.raises(CommandError, match="nothing was deleted"):
        await operator("users", "delete", alice.email)
    assert [row["scans"] for row in await operator.json("users", "list")] == [1, 0]
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    await operator("users", "delete", alice.email)
    await operator("users", "delete", bob.email, "--yes")
    assert_error(await alice.get("/api/auth/me"), 401, "not_authenticated")
    assert await operator("users", "list") == ""
    for arguments in (("users", "disable", alice.email), ("tokens", "list", "--user", alice.email)):
        with pytest.raises(CommandError, match=f"there is no account with the email {alice.email}"):
            await operator(*arguments)


async def test_tokens_are_listed_and_revoked(alice: Person, bob: Person, operator: Operator) -> None:
    made = [await create_token(alice, name="cron"), await create_token(bob, name="nightly import")]
    listed = await operator.json("tokens", "list")
    assert [(row["email"], row["name"], row["scopes"]) for row in listed] == [
        ("alice@example.com", "cron", ["scan", "read"]),
        ("bob@example.com", "nightly import", ["scan", "read"]),
    ]
    table = await operator("tokens", "list", "--user", bob.email)
    assert table.splitlines()[0].split() == [
        "ID",
        "EMAIL",
        "NAME",
        "SCOPES",
        "CREATED",
        "LAST",
        "USED",
        "EXPIRES",
    ]
    assert table.count("\n") == 2
    assert made[1]["id"] in table
    assert not any(token["token"] in table + str(listed) for token in made)
    await operator("tokens", "revoke", made[0]["id"])
    reply = await alice.get("/api/auth/me", headers=bearer(made[0]["token"]))
    assert_error(reply, 401, "not_authenticated")
    assert (await bob.get("/api/auth/me", headers=bearer(made[1]["token"]))).status == 200
    for token_id in (made[0]["id"], str(uuid.uuid4()), "x"):
        with pytest.raises(CommandError, match=f"there is no API token with the ID {token_id}"):
            await operator("tokens", "revoke", token_id)
