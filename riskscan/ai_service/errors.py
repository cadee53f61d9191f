"""Error responses of the service."""


class ServiceError(Exception):
    """An error response: HTTP status, stable code, and one sentence for people."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class UnreadableDocument(ServiceError):
    """422 `unreadable_document`: no text can be read from the document."""

    def __init__(self, detail: str) -> None:
        super().__init__(422, "unreadable_document", detail)
