"""What happens once two people agreed: each app says it here for its own actions, in `AppConfig.ready`."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import F

from compliance.contracts import Actor
from compliance.errors import ApprovalRefused
from compliance.models import Approval

Handler = Callable[[Approval, Actor], None]
"""Takes the approval and who decided; runs in the transaction of the decision."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """What to do once it is approved; and where somebody says no or nobody answers in time."""

    approved: Handler
    dropped: Handler | None = None


_handlers: dict[str, Handlers] = {}


def on(action: str, approved: Handler, *, dropped: Handler | None = None) -> None:
    """Names what carries out `action` (as in the audit log: object.verb) once it is approved.

    Raises:
        ValueError: something else carries it out already.
    """
    handlers = Handlers(approved, dropped)
    if _handlers.setdefault(action, handlers) != handlers:
        raise ValueError(f"{action} is carried out by something else already")


def handlers_of(action: str) -> Handlers:
    """What carries out an action.

    Raises:
        LookupError: nothing does.
    """
    if action not in _handlers:
        raise LookupError(f"nothing carries out {action}: register it with approvals.on")
    return _handlers[action]


def require_given(*, approval: Approval, action: str) -> None:
    """Sees to it that another person has agreed to `action`, by what is stored.

    Raises:
        ApprovalRefused: nobody has.
    """
    given = Approval.objects.filter(pk=approval.pk, action=action, state=Approval.State.APPROVED)
    if not given.exclude(decided_by__in=("", F("requested_by"))).exists():
        raise ApprovalRefused("Another person has to agree to it first.")
