"""What people state about controls that nothing can compute."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone

from compliance import controls, rows
from compliance.actions.approvals import name_of
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.models import ControlStatement

LONGEST = timedelta(days=366)


def state(*, statement: ControlStatement, by: Actor) -> ControlStatement:
    """States that a control holds, until a day within a year. An earlier statement stays on record.

    Raises:
        ActionRefused: `by` is no person, or the control is computed: then nobody has to say so.
        ValidationError: the role, the text or the end is missing, or the end makes no sense.
    """
    control = controls.control_named(statement.control)
    if control is None or control.compute is not None:
        raise ActionRefused("This control is computed from what is there; there is nothing to state.")
    if by.kind != "user":
        raise ActionRefused("Only a person who is signed in can state something.")
    today = timezone.now().date()
    if statement.expires_on is not None and not today < statement.expires_on <= today + LONGEST:
        raise ValidationError({"expires_on": "Choose a day within the coming year."})
    statement.said_by = name_of(by=by)
    return rows.create(statement, by=by, reason=statement.text)
