"""What can be done with dictionaries: lists of words, up to millions, that a tenant does not let pass.

What is uploaded is kept sealed until it is compiled: at once where it is short, else by a job that shows how far it is.
"""

from collections.abc import Collection
from itertools import chain

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction

from compliance import audit, rows
from compliance.actions import jobs
from compliance.contracts import Actor
from compliance.enqueuing import enqueue
from compliance.errors import ActionRefused, AlreadyRunning, ComplianceError
from gateway import dictionaries
from gateway.dictionary_files import MOST_BYTES, NotAList, entries_in
from gateway.guards import dictionaries as tries
from gateway.guards.dictionaries import WrongEntry
from gateway.models import GuardDictionary, GuardDictionaryContent

KIND = "compile_dictionary"
AT_ONCE_BYTES = 256 * 1024
"""What is longer is compiled by a job."""

WORDS_MOST = 10_000
"""That are added or removed at a time; for more there are uploads."""

Format = GuardDictionaryContent.Format
log = structlog.get_logger("gateway.guard_dictionaries")


@transaction.atomic
def add(*, dictionary: GuardDictionary, by: Actor) -> GuardDictionary:
    """Adds a dictionary, without words yet.

    Raises:
        ValidationError: the tenant has one of that name.
        KeyStoreUnavailable: the provider of the root keys does not answer.
    """
    rows.create(dictionary, by=by)
    GuardDictionaryContent.objects.create(dictionary=dictionary, data_key=dictionaries.new_key(dictionary.pk))
    return dictionary


@transaction.atomic
def change(*, dictionary: GuardDictionary, by: Actor) -> GuardDictionary:
    """Changes its name, whether it is on, and whether beginnings match. The words stay.

    Raises:
        ValidationError: the tenant has one of that name.
    """
    stored = _locked(dictionary)
    is_other = any(getattr(stored, name) != getattr(dictionary, name) for name in ("name", "prefixes", "active"))
    dictionary.version = stored.version + is_other
    return rows.change(dictionary, by=by, fields=("name", "prefixes", "active", "version"))


@transaction.atomic
def remove(*, dictionary: GuardDictionary, by: Actor, reason: str = "") -> None:
    """Deletes a dictionary and its words."""
    GuardDictionaryContent.objects.filter(dictionary=dictionary).delete()
    rows.delete(dictionary, by=by, reason=reason)


def upload(*, dictionary: GuardDictionary, data: bytes, is_csv: bool, by: Actor) -> GuardDictionary:
    """Puts the words of a file in place of those that were there. Until they are compiled, those hold.

    Raises:
        ValidationError: the file is too large; or, of a short one, an entry is nothing that could be found.
        KeyStoreUnavailable: the provider of the root keys does not answer.
    """
    if len(data) > MOST_BYTES:
        raise ValidationError(f"The file has more than {MOST_BYTES // 2**20} MB. Split it into several dictionaries.")
    if len(data) > AT_ONCE_BYTES:
        return _put_up(dictionary, data, is_csv=is_csv, by=by)
    try:
        compiled, count = tries.compiled(entries_in(data, is_csv=is_csv))
    except (WrongEntry, NotAList) as error:
        raise ValidationError(str(error)) from error
    return _fill(dictionary, compiled, count, by=by)


def change_words(
    *, dictionary: GuardDictionary, by: Actor, add: Collection[str] = (), remove: Collection[str] = ()
) -> GuardDictionary:
    """Adds some words, and takes some out; the others stay.

    Raises:
        ValidationError: they are too many, or one is nothing that could be found.
        ActionRefused: an upload waits to be compiled.
        DecryptionFailed, KeyStoreUnavailable: the words cannot be read now.
    """
    if len(add) + len(remove) > WORDS_MOST:
        raise ValidationError(f"At most {WORDS_MOST:,} words can be changed at a time. Upload a file instead.")
    with transaction.atomic():
        stored = _locked(dictionary)
        if stored.waits:
            raise ActionRefused("An upload is being compiled. Change words when that is done.")
        gone = {tries.normal(word) for word in remove}
        kept = (word for word in tries.entries_of(_words_of(stored)) if word not in gone)
        try:
            compiled, count = tries.compiled(chain(kept, add))
        except WrongEntry as error:
            raise ValidationError("A word is too short or too long, or is none: " + str(error)) from error
        return _fill(stored, compiled, count, by=by)


def compile_waiting(*, by: Actor) -> int:
    """Compiles the uploads that wait, and those whose process died; returns how many are done."""
    done = 0
    for dictionary in GuardDictionary.objects.filter(waits=True).order_by("pk")[:100]:
        try:
            done += compile_upload(dictionary=dictionary, by=by)
        except AlreadyRunning:
            continue
        except (jobs.TakenOver, ComplianceError) as error:
            log.error("dictionary not compiled", dictionary=dictionary.pk, error=type(error).__name__)
    return done


def compile_upload(*, dictionary: GuardDictionary, by: Actor) -> bool:
    """Compiles what was uploaded; returns whether it holds from now on. What is wrong with it stands in `problem`.

    Raises:
        AlreadyRunning: another process compiles it.
        DecryptionFailed, KeyStoreUnavailable: it cannot be read now.
    """
    with jobs.running(kind=KIND, key=str(dictionary.pk), tenant_id=dictionary.tenant_id, by=by) as progress:
        content = GuardDictionaryContent.objects.filter(dictionary=dictionary, upload__isnull=False).first()
        if content is None:
            GuardDictionary.objects.filter(pk=dictionary.pk).update(waits=False)
            return False
        data = dictionaries.opened(content, what=dictionaries.UPLOAD)
        is_csv = content.upload_format == Format.CSV
        entries = entries_in(data, is_csv=is_csv, progress=lambda read: progress.at(read, len(data), "reading"))
        try:
            compiled, count = tries.compiled(entries)
        except (WrongEntry, NotAList) as error:
            progress.problem = str(error)
            _refuse(dictionary, content, str(error), by=by)
            return False
        progress.at(len(data), len(data), "storing")
        progress.result = {"entries": count}
        _fill(dictionary, compiled, count, by=by, instead_of=bytes(content.upload or b""))
    return True


@transaction.atomic
def delete_of_tenant(*, tenant_id: int, by: Actor) -> int:
    """Deletes the words of a tenant that leaves; returns of how many dictionaries."""
    deleted, _ = GuardDictionaryContent.objects.filter(dictionary__tenant_id=tenant_id).delete()
    GuardDictionary.objects.filter(tenant_id=tenant_id).update(entries=0, waits=False)
    return deleted


# --- writing ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def _put_up(dictionary: GuardDictionary, data: bytes, *, is_csv: bool, by: Actor) -> GuardDictionary:
    stored = _locked(dictionary)
    content = _content_of(stored)
    content.upload = dictionaries.seal(data, content=content, what=dictionaries.UPLOAD)
    content.upload_format = Format.CSV if is_csv else Format.TEXT
    content.save(update_fields=("upload", "upload_format"))
    stored.waits, stored.problem = True, ""
    stored.save(update_fields=("waits", "problem", "updated_at"))
    _record(stored, "uploaded", {"bytes": len(data)}, by=by)
    transaction.on_commit(_begin, robust=True)
    return stored


@transaction.atomic
def _fill(
    dictionary: GuardDictionary, compiled: bytes, count: int, *, by: Actor, instead_of: bytes | None = None
) -> GuardDictionary:
    """Puts words in place. With `instead_of`, an upload, another one that came meanwhile goes on waiting."""
    stored = _locked(dictionary)
    content = _content_of(stored)
    if instead_of is None or bytes(content.upload or b"") == instead_of:
        content.upload, stored.waits, stored.problem = None, False, ""
    content.sealed = dictionaries.seal(compiled, content=content, what=dictionaries.COMPILED)
    content.save(update_fields=("sealed", "upload"))
    before, stored.entries, stored.version = stored.entries, count, stored.version + 1
    stored.save(update_fields=("entries", "version", "waits", "problem", "updated_at"))
    _record(stored, "filled", {"entries": count}, by=by, before={"entries": before})
    return stored


@transaction.atomic
def _refuse(dictionary: GuardDictionary, content: GuardDictionaryContent, problem: str, *, by: Actor) -> None:
    stored = _locked(dictionary)
    GuardDictionaryContent.objects.filter(pk=content.pk).update(upload=None)
    stored.waits, stored.problem = False, problem[:500]
    stored.save(update_fields=("waits", "problem", "updated_at"))
    _record(stored, "upload_refused", {"problem": stored.problem}, by=by)


def _locked(dictionary: GuardDictionary) -> GuardDictionary:
    return GuardDictionary.objects.select_for_update().get(pk=dictionary.pk)


def _content_of(dictionary: GuardDictionary) -> GuardDictionaryContent:
    """What a tenant that left has lost is made anew."""
    key = dictionaries.new_key(dictionary.pk)
    content, _ = GuardDictionaryContent.objects.get_or_create(dictionary=dictionary, defaults={"data_key": key})
    return content


def _words_of(dictionary: GuardDictionary) -> bytes:
    return dictionaries.opened(_content_of(dictionary))


def _record(
    dictionary: GuardDictionary,
    verb: str,
    after: dict[str, object],
    *,
    by: Actor,
    before: dict[str, object] | None = None,
) -> None:
    audit.record(
        by=by,
        action=f"guarddictionary.{verb}",
        target=audit.target_of(dictionary),
        tenant_id=dictionary.tenant_id,
        before=before,
        after=after,
    )


def _begin() -> None:
    enqueue("gateway.tasks.compile_dictionaries")
