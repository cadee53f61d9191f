"""Error responses of the service."""


class ServiceError(Exception):
    """An error response: HTTP status, stable code, and one sentence for people; `cause` is only logged."""

    def __init__(self, status: int, code: str, detail: str, cause: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.cause = cause


class InternalError(ServiceError):
    """500 `internal_error`: a bug."""

    def __init__(self, cause: str) -> None:
        super().__init__(500, "internal_error", "Internal error of the analysis service.", cause)


class UnreadableDocument(ServiceError):
    """422 `unreadable_document`: no text can be read from the document."""

    def __init__(self, detail: str, cause: str = "") -> None:
        super().__init__(422, "unreadable_document", detail, cause)


def format_trace(exc: BaseException) -> str:
    """Return where an exception was raised, and its type; its message may quote a document."""
    import traceback  # only bugs need it, and a reader should start fast

    return "".join(traceback.format_tb(exc.__traceback__)) + type(exc).__name__
