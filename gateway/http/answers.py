"""Answers as ASGI wants them. Django's response would cost as much as everything else that the front does."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from gateway.http.problems import problem_of

Header = tuple[bytes, bytes]
JSON = {"content-type": "application/json"}
_ONE_LINE = str.maketrans({"\r": " ", "\n": " ", "\0": " "})


class Answer(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: list[Header]
    body: bytes


def whole(body: bytes, *, headers: Mapping[str, str] = JSON, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(status, raw({**JSON, **headers}), body)


def refused(error: BaseException, headers: Mapping[str, str] = JSON) -> Answer:
    """The answer for `error`, with `headers` beside its own."""
    problem = problem_of(error)
    return whole(problem.body, headers={**headers, **problem.headers}, status=problem.status)


def raw(headers: Mapping[str, str]) -> list[Header]:
    """Headers as they are sent: names in lower case, values in one line, and without what Latin-1 does not have."""
    return [(_name(name), _value(value)) for name, value in headers.items()]


@lru_cache(256)
def _name(name: str) -> bytes:
    return name.lower().encode()


def _value(value: str) -> bytes:
    return (value if value.isprintable() else value.translate(_ONE_LINE)).encode("latin-1", "replace")
