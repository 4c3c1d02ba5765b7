"""Frozen values that every app may hold: who acts, and on what."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["user", "key", "command", "task", "system", "anonymous"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something: a person in the admin, an API key, a command on a shell, a scheduled task; or nobody known.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An application that calls the control plane's API with its key: `request.auth` there. See `accounts/api/`."""

    tenant_id: int
    key_id: int
    environment: str
    scopes: frozenset[str]
    actor: Actor

    def may(self, scope: str) -> bool:
        return scope in self.scopes


SYSTEM = Actor(kind="system", id="system")

ANONYMOUS = Actor(kind="anonymous", id="anonymous")
"""Who proved to be nobody: a wrong password, an unknown key."""
