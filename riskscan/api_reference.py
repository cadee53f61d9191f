"""What the OpenAPI document says beside the types: descriptions, and examples that work when tried."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec

from .schemas import (
    ApiToken,
    ApiTokenList,
    CategoryRisks,
    Comparison,
    CreateApiToken,
    CreateApiTokenForm,
    CreateShare,
    Credentials,
    Cue,
    DeleteScans,
    DeleteScansForm,
    Error,
    Finding,
    FindingList,
    Health,
    ImportLine,
    Liveness,
    MonthRisks,
    NewApiToken,
    NewShare,
    PasswordChange,
    PasswordConfirmation,
    PasswordGrant,
    RegisterRow,
    Rename,
    RenameForm,
    Review,
    ReviewFields,
    ReviewForm,
    ReviewImport,
    ReviewItems,
    Risk,
    Scan,
    ScanForm,
    ScanList,
    ScanSummary,
    ScanText,
    Share,
    ShareList,
    Stats,
    TokenResponse,
    User,
)

INFO = """\
Scan text or documents for risks, review the findings, and take them along.

**Log in.** POST /api/auth/register or /api/auth/login returns an access token; send it as `Authorization:
Bearer …`. It expires. Scripts use an API token instead (POST /api/tokens), which is sent the same way.

**Page.** GET /api/scans returns `next_cursor`; send it as `cursor` until it is null.

**Retry.** 429 and 503 say in `Retry-After` how many seconds to wait. With an `Idempotency-Key`, POST
/api/scan can be sent again after a lost connection without scanning twice.

**Errors.** Every error is `{"error": code, "detail": sentence}`, with `fields` where the input is wrong.
The code is stable and for programs, the sentence is for people. The server's log has each response's
`X-Request-ID`.
"""
TAGS = {
    "accounts": "Registration, log-in and the account itself",
    "api_tokens": "Tokens for scripts",
    "scans": "Scanning, the history and statistics",
    "exports": "Findings as CSV, Excel, Markdown or JSON",
    "reviews": "Findings, and what the user decided of them",
    "imports": "Edited exports, read back",
    "shares": "Links by which people without an account can read a scan",
    "comparisons": "What changed since an earlier scan",
    "marks": "The document with its findings marked",
    "health": "For monitoring",
    "api_docs": "This document",
}
# by the name of the operation
DESCRIPTIONS = {
    "accounts_register": "Creates an account and starts a session. The email is checked for its syntax "
    "and stored in lower case. Refused with 403 where the operator has closed registration "
    "(`registration_closed`), or allows only addresses of other domains (`email_not_allowed`).",
    "accounts_login": "The OAuth2 password grant: `username` is the email address, which JSON may call "
    "`email`. A wrong email and a wrong password are the same error.",
    "accounts_logout": "Ends the session of the cookie; access tokens stay valid until they expire.",
    "accounts_me": "The account behind the token or session.",
    "accounts_delete": "Deletes the account with its scans, reviews, tokens and links at once. This "
    "cannot be undone. It takes the `password` or, from an account without one, its `email`.",
    "accounts_change_password": "Revokes all earlier access tokens and sessions, and all API tokens "
    "unless `keep_api_tokens` is true. Refused with 403 `no_password` for an account that a proxy's "
    "log-in has created.",
    "api_tokens_index": "Without their secrets, which are shown only when they are created.",
    "api_tokens_create": "For scripts: it outlives sessions and access tokens. This response is the only "
    "one with the secret.",
    "api_tokens_delete": "The token is refused from then on.",
    "scans_create": "Sends the file, the text or both to the AI service, which takes up to a minute, and "
    "stores the findings. The document itself is not stored.",
    "scans_index": "Page by page: with `cursor`, no scan is skipped or repeated while others arrive; "
    "`offset` can jump.",
    "scans_stats": "For charts: how many risks of each category there are, in all and by month.",
    "exports_export_all": "The findings of all scans that match the filters, newest scan first.",
    "scans_show": "With its findings in document order. Their places, reasons and reviews are under "
    "`findings`.",
    "scans_delete": "Deletes the scan and its findings. Reviews stay, because they belong to the sentences.",
    "scans_delete_many": "Deletes all of them, or none if one is not found.",
    "scans_rename": "Sets or removes the title. The file name stays.",
    "reviews_index": "With the place of each sentence, the reasons for the finding and its review.",
    "reviews_update": "Confirms or dismisses a finding. The review holds for the same sentence in all "
    "scans of the user, later ones too.",
    "reviews_delete": "The finding, and the same sentence in other scans, is open again.",
    "reviews_update_many": "Stores all of them, or none if one is invalid.",
    "imports_create": "Reads an export that people have edited. Without `apply` it only says what would "
    "change. Findings that were reviewed after the export stay as they are.",
    "reviews_delete_all": "All findings are open again.",
    "shares_index": "Without their addresses, which are shown only when they are created.",
    "shares_create": "Anyone with the address can read the findings and reviews of the scan until the "
    "link expires.",
    "shares_delete": "The address is not found from then on.",
    "comparisons_show": "Compares the wording of the sentences, not their meaning.",
    "exports_export_scan": "The findings of the scan that match the filters, in document order.",
    "marks_create": "Takes the document of the scan again, and returns it with the open and confirmed "
    "findings marked. Nothing is stored.",
    "health_show": "For monitoring. `degraded` is still 200.",
    "health_live": "For supervisors that restart processes. It does not ask the database.",
    "api_docs_document": "For programs that generate clients.",
    "api_docs_docs": "Swagger UI, served by this server.",
}
# by the name of the field, where its type says nothing else
FIELDS = {
    "ai_service_healthy": "Whether the AI service answers",
    "category": "Category of the risk, such as `Schedule`",
    "change_count": "Number of rows that change a review",
    "client_id": "Ignored",
    "client_secret": "Ignored",
    "comment": "A note of the user",
    "conflict_count": "Number of rows whose finding was reviewed after the export",
    "created_at": "When it was created",
    "current_password": "The password until now",
    "database": "Whether the database can be read and written",
    "due": "Until when the response is due, as `2026-12-31`",
    "email": "The email address of the account",
    "error_count": "Number of rows with invalid values",
    "expires_at": "When it expires",
    "file": "Empty; a file needs multipart/form-data",
    "findings": "In document order",
    "grant_type": "What OAuth2 clients send",
    "id": "ID",
    "impact": "From 1, negligible, to 5, severe",
    "likelihood": "From 1, rare, to 5, almost certain",
    "limit": "Number of scans per page",
    "message": "A sentence",
    "name": "Name of the token, for its owner",
    "new_password": "The password from now on",
    "number": "Number of the finding",
    "offset": "Number of scans before this page",
    "owner": "Who is to act",
    "password": "The password of the account",
    "reason": "Why it was dismissed; required then, and only then",
    "ref": "Reference of the finding",
    "response": "What is to be done",
    "risk_count": "Number of findings",
    "risks": "Number of risks",
    "row": "Number of the row",
    "scan_id": "ID of the scan",
    "scan_date": "When the document was scanned",
    "context": "The sentence",
    "risk": "Title of the risk",
    "scope": "Ignored",
    "scopes": "What the token may do",
    "scans": "The scans",
    "shares": "Newest first",
    "source": "What analysed it: a language model (`llm`) or the built-in analyser (`model`)",
    "state": "What the user decided",
    "status": "Always `ok`",
    "text": "The text to scan",
    "title": "The user's own name for the scan; empty removes it",
    "token_type": "How to send it",
    "tokens": "Newest first",
    "unchanged_count": "Number of rows that change nothing",
    "unknown_count": "Number of rows without a finding of the user",
    "updated_at": "When it was last changed",
    "user": "The account",
    "user_id": "ID of the account",
    "version": "Version of RiskScan",
}

EMAIL, PASSWORD = "ana@example.com", "correct horse battery"
TEXT = "The supplier has not confirmed the delivery date. The kick-off was on Monday."
USER_ID, SCAN_ID = "0198a5b0-6f0c-7c61-a8a2-2f3c8d6e9b10", "0198a5b4-11d2-7f3e-9c55-7b0d4e2a6c31"
TOKEN_ID, SHARE_ID = "0198a5b6-5a90-7d0b-b1f4-93c2e8a70d42", "0198a5b7-3c1e-7a66-8e0f-1d5b6c9f2a53"
CREATED = datetime.datetime(2026, 11, 25, 8, 0, tzinfo=datetime.UTC)
REVIEWED = CREATED + datetime.timedelta(minutes=5)
EXPIRES = CREATED + datetime.timedelta(days=30)
DUE = "2026-12-11"

USER = User(id=USER_ID, email=EMAIL, created_at=CREATED, updated_at=CREATED)
RISK = Risk(
    risk="The supplier has not confirmed the delivery date.",
    category="Schedule",
    context="The supplier has not confirmed the delivery date.",
)
SCAN = Scan(
    scan_id=SCAN_ID,
    filename=None,
    data=msgspec.Raw(msgspec.json.encode([RISK])),
    source="model",
    risk_count=1,
    created_at=CREATED,
    timestamp=CREATED,
    notes=[],
    title=None,
    open_count=1,
)
REVIEW = Review(
    state="confirmed",
    reason=None,
    comment="Ask for a date in writing.",
    owner="Sok Dara",
    likelihood=4,
    impact=3,
    response="reduce",
    due=DUE,
    scan_id=SCAN_ID,
    updated_at=REVIEWED,
)
FINDING = Finding(
    number=1,
    risk=RISK.risk,
    category=RISK.category,
    context=RISK.context,
    place=None,
    why=[Cue(text="not confirmed", weight=2.1, start=17)],
    review=REVIEW,
)
ROW = RegisterRow(
    ref=f"R-{SCAN_ID[:18]}-01",
    scan_date=CREATED,
    file=None,
    risk=RISK.risk,
    category=RISK.category,
    context=RISK.context,
    source="model",
    link=f"https://riskscan.example.com/scans/{SCAN_ID}",
    state="confirmed",
    comment=REVIEW.comment,
    owner=REVIEW.owner,
    likelihood=REVIEW.likelihood,
    impact=REVIEW.impact,
    response=REVIEW.response,
    due=DUE,
    reviewed_at=REVIEWED,
)
LINE = ImportLine(
    sheet=None, row=2, ref=ROW.ref, scan_id=SCAN_ID, number=1, detail="state: confirmed instead of open"
)
API_TOKEN = ApiToken(
    id=TOKEN_ID,
    name="nightly import",
    scopes=["scan", "read"],
    created_at=CREATED,
    last_used_at=None,
    expires_at=EXPIRES,
)
SHARE = Share(id=SHARE_ID, created_at=CREATED, expires_at=EXPIRES)
JWT = "eyJhbGciOiJIUzI1NiJ9.…"

# by the type of the body
REQUESTS: dict[Any, Any] = {
    Credentials: {"email": EMAIL, "password": PASSWORD},
    PasswordGrant: {"username": EMAIL, "password": PASSWORD},
    PasswordConfirmation: {"password": PASSWORD},
    PasswordChange: {"current_password": PASSWORD, "new_password": "another horse battery"},
    CreateApiToken: {"name": API_TOKEN.name, "scopes": ["scan", "read"]},
    CreateApiTokenForm: {"name": API_TOKEN.name, "scopes": "scan read"},
    ScanText: {"text": TEXT},
    ScanForm: {"text": TEXT},
    Rename: {"title": "Supply of pumps, draft 2"},
    RenameForm: {"title": "Supply of pumps, draft 2"},
    ReviewFields: {"state": "confirmed", "owner": "Sok Dara", "likelihood": 4, "impact": 3, "due": DUE},
    ReviewForm: {"state": "dismissed", "reason": "already_handled"},
    ReviewItems: [{"scan_id": SCAN_ID, "number": 1, "state": "dismissed", "reason": "not_a_risk"}],
    CreateShare: {},
    DeleteScans: {"scans": [SCAN_ID]},
    DeleteScansForm: {"scans": SCAN_ID},
}
# by the type of the response
ANSWERS: dict[Any, Any] = {
    User: USER,
    TokenResponse: TokenResponse(
        access_token=JWT,
        token_type="bearer",  # noqa: S106  # from RFC 6749, not a secret
        expires_in=1800,
        token=JWT,
        user=USER,
        user_id=USER_ID,
        email=EMAIL,
    ),
    Scan: SCAN,
    ScanList: ScanList(
        scans=[ScanSummary(SCAN_ID, None, "model", risk_count=1, created_at=CREATED, open_count=1)],
        total=1,
        limit=20,
        offset=0,
        next_cursor=None,
    ),
    Stats: Stats(
        scans=1,
        risks=1,
        newest=CREATED,
        by_category=[CategoryRisks("Schedule", 1)],
        over_time=[MonthRisks("2026-11", {"Schedule": 1})],
    ),
    Finding: FINDING,
    FindingList: FindingList([FINDING]),
    Comparison: Comparison(new=[RISK], gone=[], same=[]),
    list[RegisterRow]: [ROW],
    ReviewImport: ReviewImport(
        applied=False,
        unchanged_count=4,
        change_count=1,
        conflict_count=0,
        unknown_count=0,
        error_count=0,
        changes=[LINE],
        conflicts=[],
        unknown=[],
        errors=[],
    ),
    ApiTokenList: ApiTokenList([API_TOKEN]),
    NewApiToken: NewApiToken(
        **msgspec.structs.asdict(API_TOKEN),
        token="rsk_…",  # noqa: S106  # no secret
    ),
    ShareList: ShareList([SHARE]),
    NewShare: NewShare(
        **msgspec.structs.asdict(SHARE),
        url="https://riskscan.example.com/shared/…",
    ),
    Health: Health("ok", database=True, ai_service_healthy=True, version="0.1.0"),
    Liveness: Liveness(),
}
# by the name of the operation, where the answer is a Message
MESSAGES = {
    "accounts_logout": "Logged out",
    "accounts_delete": "Account deleted",
    "api_tokens_delete": "Token deleted",
    "scans_delete": "Scan deleted",
    "scans_delete_many": "Scans deleted: 1",
    "reviews_delete": "Review removed",
    "reviews_update_many": "Reviews saved: 1",
    "reviews_delete_all": "Reviews removed: 1",
    "shares_delete": "Link deleted",
}
ERRORS = {
    400: Error("invalid_request", "Fill in all required fields.", {"name": "This field is required."}),
    401: Error("not_authenticated", "The access token has expired. Log in again."),
    403: Error("cross_origin_request", "This request was sent by another site."),
    404: Error("not_found", "Scan not found. It may have been deleted, or belong to another account."),
    408: Error("request_timeout", "The request took too long to arrive."),
    413: Error("payload_too_large", "Request too large; the limit is 10 MB."),
    415: Error("unsupported_media_type", "Compressed request bodies are not supported."),
    422: Error("ai_service_error", "No readable text found."),
    429: Error("rate_limited", "Too many attempts. Try again in 51 seconds."),
    500: Error("internal_error", "Something went wrong on our side. It has been logged."),
    502: Error("ai_service_invalid_response", "The analysis service returned an invalid response."),
    503: Error("database_unavailable", "The database cannot be reached right now."),
}
# 409 by the name of the operation
CONFLICTS = {
    "accounts_register": Error("email_taken", "An account with this email already exists."),
    "api_tokens_create": Error("too_many_tokens", "Token limit reached (100). Delete a token first."),
    "scans_create": Error("idempotency_in_progress", "A scan with this Idempotency-Key is still running."),
    "shares_create": Error("too_many_shares", "This scan has 20 links. Delete one first."),
    "marks_create": Error("different_document", "This is not the document that was scanned."),
}
