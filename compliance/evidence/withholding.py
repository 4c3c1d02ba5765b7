"""What tenants are not told of events in their log: from where their administrators' staff came, and why.

Such fields are shown as redacted ones are: the commitment stands for the value, and the leaf stays what it is. Of what
applications, tasks and strangers do, nothing is withheld. Pure, standard library only.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from compliance.evidence import leaves

TOLD = frozenset({"key", "task", "system", "anonymous"})
"""Kinds of actors of whom all is told: people in the admin and commands are staff."""
OWN = ("ip", "user_agent", "reason")
_REASONS = ("before.", "after.")


def withheld_names(actor_kind: str, names: Iterable[str]) -> list[str]:
    """Which of the fields of an event are withheld, sorted: `OWN`, and reasons among those that changed."""
    if actor_kind in TOLD:
        return []
    return sorted(name for name in names if name in OWN or (name.startswith(_REASONS) and _is_reason(name)))


def withheld(
    fields: Mapping[str, Any], salts: bytes, redacted: Mapping[str, str]
) -> tuple[dict[str, Any], bytes, dict[str, str]]:
    """Fields, salts and redacted commitments (hex) as tenants get them; they give the same leaf.

    Fields of events of the first version have no salts: whoever guesses what was withheld there can be sure of it.

    Raises:
        MalformedEvent: the salts are not as many as the fields.
    """
    gone = withheld_names(str(fields.get("actor_kind", "")), fields)
    if not gone:
        return dict(fields), salts, dict(redacted)
    committed, size = leaves.commitments(fields, salts, {}), leaves.SALT_BYTES
    kept = b"".join(
        salts[size * place : size * (place + 1)]
        for place, name in enumerate(leaves.ordered(fields))
        if name not in gone
    )
    shown = {name: value for name, value in fields.items() if name not in gone}
    return shown, kept, {**redacted, **{name: committed[name] for name in gone}}


def _is_reason(name: str) -> bool:
    return name.rpartition(".")[2].rpartition("_")[2] == "reason"
