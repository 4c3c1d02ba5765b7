"""The proof, in one document, that an event is in its log: handed out with what the event is about, to be verified
offline.
"""

from collections.abc import Collection, Mapping
from typing import Any

from compliance.evidence import leaves, notes, tree, withholding
from compliance.evidence.leaves import MalformedEvent
from compliance.evidence.notes import Checkpoint, InvalidNote
from compliance.evidence.proofs import Proofs
from compliance.evidence.tiles import TileMissing
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf


class InvalidInclusion(ValueError):
    """The document does not prove what it says."""


def document_of(event_id: int) -> dict[str, Any] | None:
    """An event with its salts, its place, and the newest checkpoint of its log, as JSON values: as a tenant is told it.

    None before it has a place, and where the log was tampered with, so that nothing can be proven.
    """
    place = AuditLeaf.objects.select_related("log").filter(event_id=event_id).first()
    signed = AuditCheckpoint.objects.filter(log=place.log, size=place.log.size).first() if place else None
    if place is None or signed is None:
        return None
    row = AuditEvent.objects.values(*leaves.COLUMNS).get(pk=event_id)
    try:
        proof = Proofs(place.log, signed.size).inclusion(place.index)
        told = withholding.withheld(leaves.fields_of(row), bytes(row["salts"]), row["redacted"])
    except (TileMissing, MalformedEvent):
        return None
    fields, salts, redacted = told
    return {
        "event": fields,
        "salts": salts.hex(),
        "redacted": redacted,
        "index": place.index,
        "proof": [each.hex() for each in proof],
        "checkpoint": signed.note,
    }


def verify(document: Mapping[str, Any], *, publics: Collection[bytes]) -> Checkpoint:
    """The checkpoint that covers the event, signed by one of those keys. Needs nothing but its arguments.

    Raises:
        InvalidInclusion: the event, its place, the checkpoint or a signature is another one.
    """
    try:
        origin = notes.parse_checkpoint(document["checkpoint"]).origin
        checkpoint = notes.open_checkpoint(document["checkpoint"], origin=origin, publics=publics)
        committed = leaves.commitments(document["event"], bytes.fromhex(document["salts"]), document["redacted"])
        proof = [bytes.fromhex(each) for each in document["proof"]]
        index, leaf = int(document["index"]), leaves.leaf_hash(committed)
    except (InvalidNote, MalformedEvent) as error:
        raise InvalidInclusion(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInclusion("this is no proof of an event") from error
    if not tree.verify_inclusion(index, checkpoint.size, leaf, proof, checkpoint.root):
        raise InvalidInclusion("the event is not the one that the checkpoint covers")
    return checkpoint
