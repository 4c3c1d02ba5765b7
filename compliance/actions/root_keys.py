"""Destroying an epoch of the root key: two people agree, then nothing can be wrapped under it any more.

Once the backups that need it are gone, the key itself is thrown away where it lies; from then on whatever it opens in
some stray copy is lost for good. That is what two people have to want.
"""

from django.db import transaction

from compliance.actions import approvals, rotations
from compliance.contracts import Actor, Target
from compliance.errors import ApprovalRefused, KeyStoreUnavailable
from compliance.keyring import store, usage
from compliance.keyring.store import DATABASE
from compliance.models import Approval

ACTION = "rootkey.retired"
KIND = "rootkey"


def ask(*, version: int, reason: str, by: Actor) -> Approval:
    """Asks another person to agree that a version of the root key is retired. Whoever asks is signed in: on a shell
    anybody could ask in another one's name, and then agree as themselves.

    Raises:
        ActionRefused: it was asked for already, without a reason, or by nobody who is signed in.
        KeyVersionInUse: something needs it, or it is the current one.
        KeyStoreUnavailable: the keys database does not answer.
    """
    if by.kind != "user":
        raise ApprovalRefused("Only a person who is signed in can ask for it.")
    usage.require_unused_root(version)
    return approvals.ask(action=ACTION, target=Target(KIND, str(version)), tenant_id=None, reason=reason, by=by)


def _approved(approval: Approval, by: Actor) -> None:
    """In one transaction of the keys, too: where it is refused, neither the agreement nor the mark is left."""
    try:
        with store.answering(), transaction.atomic(using=DATABASE):
            rotations.retire_root_key(version=int(approval.target_id), by=by)
    except KeyStoreUnavailable as error:
        raise ApprovalRefused(f"{error} Nothing was done; approve it later.") from error


approvals.on(ACTION, _approved)
