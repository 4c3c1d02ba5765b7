"""What is taken away as a file, on record before the file is made."""

import re
from collections.abc import Mapping

from django.db import transaction

from compliance import audit
from compliance.contracts import Actor, Target

_SURROGATE = re.compile(r"eu_[a-z2-7]{24}")


@transaction.atomic
def statement(*, number: str, fingerprint: str, tenant_id: int, form: str, by: Actor) -> None:
    """A tenant's statement of a month."""
    after = {"form": form, "fingerprint": fingerprint}
    audit.record(
        by=by, action="statement.downloaded", target=Target("statement", number), tenant_id=tenant_id, after=after
    )


@transaction.atomic
def report(*, params: Mapping[str, str], per: str, tenant_id: int | None, form: str, by: Actor) -> None:
    """A report of usage. Of what it was narrowed to, values of tags stay out: they are the applications' own words."""
    after = {name: value for name, value in params.items() if name not in ("tag_value", "end_user")}
    if _SURROGATE.fullmatch(end_user := params.get("end_user", "")):
        after["end_user"] = end_user
    audit.record(
        by=by,
        action="usagereport.downloaded",
        target=Target("usagereport", form),
        tenant_id=tenant_id,
        after={**after, "per": per},
    )


@transaction.atomic
def reconciliation(*, reconciliation_id: int, form: str, by: Actor) -> None:
    """The lines of a comparison with a provider's bill."""
    target = Target("reconciliation", str(reconciliation_id))
    audit.record(by=by, action="reconciliation.downloaded", target=target, tenant_id=None, after={"form": form})
