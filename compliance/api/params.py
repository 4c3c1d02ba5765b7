"""Parameters in addresses."""

from collections.abc import Collection
from uuid import UUID

from rest_framework.request import Request

from compliance.api.problems import InvalidParameter

MOST = 100
DEFAULT = 50


def known_only(request: Request, names: Collection[str]) -> None:
    """Refuses parameters that the endpoint does not know, and those that come twice."""
    for name, values in request.query_params.lists():
        if name not in names:
            raise InvalidParameter(
                str(name)[:50], f"There is no such parameter; there are: {', '.join(sorted(names))}."
            )
        if len(values) > 1:
            raise InvalidParameter(str(name), "Send it once.")


def text(request: Request, name: str, *, most: int) -> str:
    """A text of at most `most` characters; empty where it was not sent."""
    value = request.query_params.get(name, "")
    if len(value) > most or "\0" in value:
        raise InvalidParameter(name, f"Send at most {most} characters.")
    return value


def limit(request: Request) -> int:
    """How many rows a page has."""
    value = request.query_params.get("limit", str(DEFAULT))
    if not (value.isascii() and value.isdecimal() and len(value) < 4 and 1 <= int(value) <= MOST):
        raise InvalidParameter("limit", f"Send a number from 1 to {MOST}.")
    return int(value)


def uuid(request: Request, name: str) -> UUID | None:
    """An id; None where it was not sent."""
    value = request.query_params.get(name)
    try:
        return UUID(value) if value is not None else None
    except ValueError as error:
        raise InvalidParameter(name, "Send an id as it was given to you.") from error
