"""What is checked of restored databases, from the inside: by a process whose settings name them.

Each check is a line: what was compared, whether it holds, and what differs. Nothing of any content is read.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from io import StringIO
from time import monotonic
from typing import Any

from django.core.management import call_command
from django.db import router
from django.db.migrations.loader import MigrationLoader

from compliance import erasure_gate, erasure_ledger
from compliance.actions import erasure, replays, restores
from compliance.backups import canaries, facts, postgres, roots
from compliance.backups.restoring import Chosen
from compliance.contracts import Actor
from compliance.errors import ComplianceError, NotReplayed
from compliance.keyring import signers, store
from compliance.keyring.models import SigningKey, SubjectKey, TenantKey
from compliance.keyring.roots import root_keys
from compliance.models import BackupRun

BY = Actor(kind="command", id="restore")


@dataclass(frozen=True, slots=True)
class Check:
    """How one check ended."""

    name: str
    title: str
    ok: bool
    detail: str
    ms: int

    def plain(self) -> dict[str, Any]:
        return asdict(self)


class Differs(Exception):
    """A check does not hold; the text says why, for people."""


def run(chosen: Chosen, *, is_drill: bool, none_yet: bool = False) -> Iterator[Check]:
    """All checks in order, up to the first that does not hold: what comes behind it would make no sense.

    Among them is the replay of the ledger of erasures. A drill also sees that everything is shut before it, and erases
    its canary, for which the ledger at hand must have the entry (`canaries.with_erasure`).
    """
    for name, title, check in _checks(chosen, is_drill=is_drill, none_yet=none_yet):
        began, ok = monotonic(), True
        try:
            detail = check()
        except Differs as error:
            detail, ok = str(error), False
        except (ComplianceError, ValueError) as error:
            detail, ok = f"{type(error).__name__}: {error}", False
        yield Check(name, title, ok, detail, round((monotonic() - began) * 1000))
        if not ok:
            return


def _checks(chosen: Chosen, *, is_drill: bool, none_yet: bool) -> Iterator[tuple[str, str, Callable[[], str]]]:
    yield "rows", "Rows are as many as the manifest says", lambda: _rows(chosen)
    yield "schema", "Migrations are those of this version", lambda: _schema(chosen)
    yield "audit", "Audit logs have the roots of their last checkpoints", lambda: _audit(chosen)
    if is_drill:
        yield "shut", "Nothing opens before erasures are replayed", _shut
    yield "erasures", "Erasures since the backup are replayed", lambda: _replay(none_yet)
    yield "keys", "Keys open under the root key", _keys
    yield "dead", "No key of anybody erased is alive", _dead
    yield "canary", "What was sealed before the backup opens", lambda: _canary(chosen)
    if is_drill:
        yield "erased", "What somebody erased had sealed does not open", lambda: _erased(chosen)
        yield "ledger", "The ledger agrees with the usage records", _ledger
    yield "settled", "The backup is on record, and what it found under way is ended", lambda: _settle(chosen)


def _rows(chosen: Chosen) -> str:
    counted, different = 0, []
    for alias, found in _databases(chosen):
        expected: dict[str, int] = found["rows"]
        with postgres.connected(postgres.params_of(alias)) as connection:
            now = facts.rows(connection, list(expected))
        different += [f"{name}: {now[name]:,} of {rows:,}" for name, rows in expected.items() if now[name] != rows]
        counted += len(expected)
    if different:
        raise Differs("; ".join(different[:10]))
    return f"{counted:,} tables"


def _schema(chosen: Chosen) -> str:
    behind = 0
    for alias, found in _databases(chosen):
        applied, known = set(found["migrations"]), _known(alias)
        if unknown := {name for name in applied if _is_of(alias, name)} - known:
            raise Differs(f"The backup is of a newer version ({min(unknown)}): restore it with that version.")
        behind += len(known - applied)
    if not behind:
        return "The same"
    call_command("migrate", verbosity=0, interactive=False, stdout=StringIO())
    for alias, _ in _databases(chosen):
        with postgres.connected(postgres.params_of(alias)) as connection:
            if missing := _known(alias) - set(facts.migrations(connection)):
                raise Differs(f"{alias} lacks {min(missing)} after manage.py migrate.")
    return f"The backup was {behind} migrations behind; they were applied"


def _known(alias: str) -> set[str]:
    """The migrations of this code that concern a database."""
    loader = MigrationLoader(None)
    return {f"{app}.{name}" for app, name in loader.disk_migrations if router.allow_migrate(alias, app)}


def _is_of(alias: str, migration: str) -> bool:
    return router.allow_migrate(alias, migration.partition(".")[0])


def _audit(chosen: Chosen) -> str:
    logs = chosen.data.databases["default"]["audit"]
    for log in logs:
        try:
            found = roots.root_of(log["origin"], log["size"])
        except ValueError as error:
            raise Differs(f"{log['origin']} holds an event that is none: {error}.") from error
        if found != log["root"]:
            raise Differs(f"{log['origin']} at {log['size']:,}: the root is another than that of the checkpoint.")
    return f"Logs: {len(logs):,}, events: {sum(log['size'] for log in logs):,}"


def _shut() -> str:
    _forget()
    try:
        store.subject_keys(canaries.TENANT, [canaries.KEPT])
    except NotReplayed:
        return "Refused, as it should be"
    raise Differs("A key could be read although an erasure was not replayed.")


def _replay(none_yet: bool) -> str:
    done = replays.replay(by=BY, none_yet=none_yet)
    for each in done.again:
        if each.surrogate:
            erasure.advance(erasure=each, by=BY)
    _forget()
    erasure_gate.require_replayed()
    return f"{done.entries:,} in the ledger, {len(done.again):,} were back and are erased again"


def _keys() -> str:
    """One of each version of the root key is opened: one that only has the same number would not do."""
    provider, opened = root_keys(), 0
    for version in TenantKey.objects.filter(wrapped__isnull=False).values_list("root_version", flat=True).distinct():
        row = TenantKey.objects.filter(wrapped__isnull=False, root_version=version).order_by("-id")[0]
        place = store.place_of_tenant_key(row.tenant_id, row.version)
        store.checked(provider.unwrap(bytes(row.wrapped or b""), context=place), known_as=bytes(row.fingerprint))
        opened += 1
    for version in SigningKey.objects.values_list("root_version", flat=True).distinct():
        key = SigningKey.objects.filter(root_version=version).order_by("-id")[0]
        provider.unwrap(bytes(key.wrapped), context=signers.place_of(bytes(key.public)))
        opened += 1
    return f"{opened} opened, of each version one"


def _dead() -> str:
    marks = {bytes.fromhex(mark) for entry in erasure_ledger.read() for mark in entry.fingerprints}
    alive = sum(
        model._default_manager.filter(fingerprint__in=marks, wrapped__isnull=False).count()
        for model in (SubjectKey, TenantKey)
    )
    if alive:
        raise Differs(f"{alive:,} keys of people or tenants that were erased are there.")
    return f"{len(marks):,} destroyed key{' stays' if len(marks) == 1 else 's stay'} destroyed"


def _canary(chosen: Chosen) -> str:
    row = _row(chosen)
    if not canaries.opens(bytes(row.canary or b""), canaries.KEPT, row.label):
        raise Differs("It does not open: the keys are not those of this data, or content was altered.")
    return "It says what it said"


def _erased(chosen: Chosen) -> str:
    row = _row(chosen)
    if canaries.opens(bytes(row.erased_canary or b""), canaries.ERASED, row.label):
        raise Differs("It opens: somebody who was erased after the backup could be read.")
    return "It does not"


def _ledger() -> str:
    out = StringIO()
    try:
        call_command("verify_ledger", stdout=out)
    except SystemExit as error:
        raise Differs("; ".join(out.getvalue().splitlines()[:3])[:300] or "They differ.") from error
    return (out.getvalue().strip().splitlines() or ["They agree."])[-1][:200]


def _settle(chosen: Chosen) -> str:
    done = restores.settle(chosen=chosen, by=BY)
    return f"{done.ended:,} were under way"


def _row(chosen: Chosen) -> BackupRun:
    row = BackupRun.objects.filter(label=chosen.data.label, part=BackupRun.Part.DATA).first()
    if row is None or not row.canary:
        raise Differs("The backup has no canary: it was made by another program.")
    return row


def _databases(chosen: Chosen) -> list[tuple[str, dict[str, Any]]]:
    return [*chosen.data.databases.items(), *chosen.keys.databases.items()]


def _forget() -> None:
    store.forget()
    erasure_gate.forget()
