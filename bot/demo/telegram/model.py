"""What travels inside Telegram's simulator: JSON objects, refusals, uploads."""

from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]
"""A JSON object in the Bot API's own field names."""


class ApiError(Exception):
    """The Bot API says no. `code` is the HTTP status as well; `parameters` is its ResponseParameters."""

    def __init__(self, code: int, description: str, parameters: Obj | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def as_json(self) -> Obj:
        answer: Obj = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return answer


def bad(description: str) -> ApiError:
    """A 400 in the Bot API's manner."""
    return ApiError(400, f"Bad Request: {description}")


def forbidden(description: str) -> ApiError:
    """A 403 in the Bot API's manner."""
    return ApiError(403, f"Forbidden: {description}")


def conflict(description: str) -> ApiError:
    """A 409 in the Bot API's manner."""
    return ApiError(409, f"Conflict: {description}")


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a multipart request."""

    name: str
    media_type: str
    content: bytes
