"""Records consents that were collected elsewhere: all of a file, or none unless somebody wants the good lines alone.

A file is checked as a whole before anything of it is recorded, and then recorded a slice at a time, as one transaction
of 10,000 lines would hold up others for minutes. What people decide in between wins; such a line is named. A run that
was cut off is made again with the same file: lines with a time that are on record already change nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from compliance import decisions, selectors
from compliance.actions import consents, jobs, subjects
from compliance.consent_import import Line, Refusal, Unreadable, lines
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.models import ConsentRecord

SLICE = 50
"""So many lines are recorded in one transaction."""
Told = Callable[[int, int], None]
"""Is told how many lines are done, of how many."""


@dataclass(frozen=True, slots=True)
class Imported:
    """How many decisions were recorded, and which lines were not, and why."""

    recorded: int
    refused: tuple[Refusal, ...]


def run(*, tenant_id: int, text: str, partly: bool, by: Actor, told: Told | None = None) -> Imported:
    """Records the lines of a CSV file in their order; see `consent_import.COLUMNS`.

    Unless `partly`, one refused line is enough for nothing to be recorded; all that are wrong are named all the same.
    `told` then hears of the lines twice: as they are checked, and as they are recorded.

    Raises:
        ValidationError: the file as a whole makes no sense.
        AlreadyRunning: an import into this tenant is under way.
    """
    try:
        found = list(lines(text))
    except Unreadable as error:
        raise ValidationError({"file": str(error)}) from error
    with jobs.running(kind="import_consents", key=str(tenant_id), tenant_id=tenant_id, by=by) as progress:

        def tell(step: str, done: int) -> None:
            progress.at(done, len(found), step)
            (told or _untold)(done, len(found))

        refused = [] if partly else _check(tenant_id, found, tell)
        done = Imported(0, tuple(refused)) if refused else _record_all(tenant_id, found, by, tell)
        progress.result = {"recorded": done.recorded, "refused": len(done.refused)}
    return done


Tell = Callable[[str, int], None]
Live = dict[tuple[str, str], ConsentRecord | None]
"""What would hold, by person and purpose, after the lines that were checked so far."""


def _check(tenant_id: int, found: list[Line | Refusal], tell: Tell) -> list[Refusal]:
    """What of the lines could not be recorded now, one after the other. Writes nothing."""
    refused: list[Refusal] = []
    live: Live = {}
    for done, line in enumerate(found, start=1):
        refusal = line if isinstance(line, Refusal) else _refusal_of(tenant_id, line, live)
        if refusal is not None:
            refused.append(refusal)
        tell("checking", done)
    return refused


def _refusal_of(tenant_id: int, line: Line, live: Live) -> Refusal | None:
    subject = selectors.find(tenant_id=tenant_id, external_id=line.subject)
    place = line.subject, line.decision.purpose
    before = live.get(place) or (selectors.live(subject=subject, purpose=place[1]) if subject else None)
    try:
        live[place] = decisions.weigh(line.decision, tenant_id=tenant_id, subject=subject, before=before)
    except (ActionRefused, ValidationError) as error:
        return _refused(line, error)
    return None


def _record_all(tenant_id: int, found: list[Line | Refusal], by: Actor, tell: Tell) -> Imported:
    refused: list[Refusal] = []
    done = 0
    for part in _slices(found):
        with transaction.atomic():
            refusals = [each if isinstance(each, Refusal) else _record(tenant_id, each, by) for each in part]
        refused += [each for each in refusals if each is not None]
        done += len(part)
        tell("recording", done)
    return Imported(len(found) - len(refused), tuple(refused))


def _slices(found: list[Line | Refusal]) -> Iterator[list[Line | Refusal]]:
    for first in range(0, len(found), SLICE):
        yield found[first : first + SLICE]


def _record(tenant_id: int, line: Line, by: Actor) -> Refusal | None:
    """Records one line, or says why not; it leaves nothing behind then, not even the person."""
    try:
        with transaction.atomic():
            subject = subjects.enrol(tenant_id=tenant_id, external_id=line.subject, by=by)
            consents.record(subject=subject, decision=line.decision, by=by)
    except (ActionRefused, ValidationError) as error:
        return _refused(line, error)
    return None


def _refused(line: Line, error: ActionRefused | ValidationError) -> Refusal:
    return Refusal(line.number, " ".join(error.messages) if isinstance(error, ValidationError) else str(error))


def _untold(done: int, total: int) -> None:
    """Nobody watches."""
