"""The answers that are not findings."""


class ServiceError(Exception):
    """An error answer: HTTP status, stable code, and one sentence for people."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


def unreadable(detail: str) -> ServiceError:
    """A document nothing can be read from: 422."""
    return ServiceError(422, "unreadable_document", detail)
