"""What an action refuses, in words for a form or a message."""

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ObjectDoesNotExist, ValidationError
from django.db import IntegrityError
from django.db.models import ProtectedError, RestrictedError

from compliance.errors import ActionRefused

REFUSALS = (ValidationError, ActionRefused, ProtectedError, RestrictedError, IntegrityError, ObjectDoesNotExist)
"""Everything that an action may raise without anything being broken."""

OVERTAKEN = "Somebody else's change came first. Reload the page to see it, then make yours again."


def explain(error: Exception) -> str:
    """One paragraph for the person who tried."""
    match error:
        case ValidationError():
            return " ".join(error.messages)
        case ProtectedError() | RestrictedError():
            return _in_use(error)
        case IntegrityError() | ObjectDoesNotExist():
            return OVERTAKEN
        case _:
            return str(error)


def show(error: Exception, form: forms.BaseForm) -> None:
    """Puts the refusal next to the fields that it is about, or on top of the form."""
    if not (isinstance(error, ValidationError) and hasattr(error, "error_dict")):
        form.add_error(None, explain(error))
        return
    for name, errors in error.error_dict.items():
        known = name in form.fields
        prefix = "" if known or name == NON_FIELD_ERRORS else f"{name}: "
        for each in errors:
            form.add_error(name if known else None, prefix + " ".join(each.messages))


def _in_use(error: ProtectedError | RestrictedError) -> str:
    rows = error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects
    kinds = sorted({str(row._meta.verbose_name_plural) for row in rows})
    return f"It is still in use by {', '.join(kinds)}; remove those first."
