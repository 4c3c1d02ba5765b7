"""Frozen values that every app may hold: who acts, and on what."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["user", "key", "command", "task", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something: a person in the admin, an API key, a command on a shell, a scheduled task.

    `id` is a primary key or a name, never personal data; `ip` and `user_agent` are known for requests only.
    """

    kind: ActorKind
    id: str
    ip: str | None = None
    user_agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What an event is about: `kind` as in `tenant`, and its primary key."""

    kind: str
    id: str


SYSTEM = Actor(kind="system", id="system")
