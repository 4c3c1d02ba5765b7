"""`manage.py restore`: brings a backup back into empty databases. docs/operations.md walks through it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from compliance import erasure_ledger, signing
from compliance.backups import databases, inside, manifests, postgres, restoring
from compliance.backups.parts import PARTS
from compliance.backups.postgres import Params
from compliance.backups.restoring import Chosen
from compliance.errors import ActionRefused, BackupFailed, ComplianceError, LedgerUnreachable
from compliance.management.progress import LazyBar


class Command(BaseCommand):
    help = (
        "Restores a backup into empty databases: those that settings name, or others with --into. Then it replays the "
        "erasures since, and checks what came out. Killed anywhere, run it again: it empties what it left half filled."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", nargs="?", default="latest", help="its label, the beginning of it, or: latest")
        parser.add_argument("--keys", default="latest", help="the backup of the keys, if not the latest one")
        parser.add_argument("--list", action="store_true", help="only show which backups there are")
        parser.add_argument(
            "--into",
            metavar="NAME",
            help="restore into databases NAME, NAME_ledger and NAME_keys, on the servers of those that settings name",
        )
        parser.add_argument(
            "--verifier-key",
            action="append",
            default=[],
            metavar="HEX",
            help="a public key that signed the manifests; needed where the keys database of settings is gone",
        )
        parser.add_argument("--none-yet", action="store_true", help="nobody was ever erased: there is no ledger yet")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["list"]:
                self._list()
            else:
                self._restore(options)
        except (ActionRefused, ComplianceError) as error:
            raise CommandError(str(error)) from error

    def _list(self) -> None:
        for part in PARTS.values():
            self.stdout.write(f"Backups of the {part.title}, in {part.where}:")
            for label in manifests.labels(part) or ["none"]:
                self.stdout.write(f"  {label}")

    def _restore(self, options: dict[str, Any]) -> None:
        _require_ledger(none_yet=options["none_yet"])
        public = _public_keys(options["verifier_key"])
        chosen = restoring.choose(options["backup"], options["keys"], public=public)
        targets = _targets(options["into"])
        self.stdout.write(f"Data of {chosen.data.label}, keys of {chosen.keys.label}.")
        for remark in chosen.remarks():
            self.stdout.write(f"Note: {remark}")
        with _alone(targets["default"]):
            bar = LazyBar(self.stderr, unit="bytes")
            restoring.restore(chosen, targets, tell=lambda done, total, step: bar.show(done, total))
            self._check(chosen, targets, public, none_yet=options["none_yet"])
            for params in targets.values():
                databases.finish(params)
        self._tell_what_to_do(chosen, targets, into=options["into"])

    def _check(self, chosen: Chosen, targets: dict[str, Params], public: list[bytes], *, none_yet: bool) -> None:
        flags = ("--none-yet",) if none_yet else ()
        for check in inside.checked(chosen, targets, public=public, flags=flags, environment={}, beat=lambda: None):
            self.stdout.write(f"{'ok  ' if check['ok'] else 'FAIL'} {check['title']}: {check['detail']}")
            if not check["ok"]:
                raise BackupFailed(
                    f"Do not open what was restored: {check['title'].lower()}, and that is not so. {check['detail']}"
                )

    def _tell_what_to_do(self, chosen: Chosen, targets: dict[str, Params], *, into: str | None) -> None:
        self.stdout.write("\nThe restored databases may be opened. In this order:")
        if into:
            self.stdout.write("1. Set these, with the passwords that your present ones have:")
            for alias, variable in inside.VARIABLES.items():
                self.stdout.write(f"     {variable}={postgres.url_of({**targets[alias], 'password': None})}")
        else:
            self.stdout.write("1. Nothing has to be set: they are those that settings name.")
        self.stdout.write(
            "2. With these settings, put on record what the audit log has lost, before anything is started:"
        )
        self.stdout.write(f'     manage.py verify_audit --accept-rollback "Restored {chosen.data.label}"')
        self.stdout.write("3. Start the programs. People have to sign in again. Make a backup, and then a drill.")
        self.stdout.write(
            "4. Secrets of keys that were revoked, rotated or leaked since the backup work again: end them anew."
        )


def _targets(into: str | None) -> dict[str, Params]:
    names = {"default": into, "ledger": f"{into}_ledger", "keys": f"{into}_keys"}
    targets = {alias: postgres.params_of(alias) for alias in inside.VARIABLES}
    return {alias: {**params, **({"dbname": names[alias]} if into else {})} for alias, params in targets.items()}


def _require_ledger(*, none_yet: bool) -> None:
    """Asks before anything is restored, instead of after it: without it nothing may be opened.

    Raises:
        LedgerUnreachable: there is none.
    """
    if not none_yet and not any(path.exists() for path in erasure_ledger.paths()):
        raise LedgerUnreachable(
            f"There is no ledger of erasures at {erasure_ledger.paths()[0]}. Mount it, or name it in ERASURE_LEDGER; "
            "if nobody was ever erased here, say so with --none-yet."
        )


def _public_keys(given: list[str]) -> list[bytes]:
    """Those that were named, or the installation's own.

    Raises:
        BackupFailed: none is known.
    """
    if given:
        try:
            return [bytes.fromhex(key) for key in given]
        except ValueError as error:
            raise BackupFailed("A verifier key is 64 hexadecimal digits.") from error
    try:
        known = signing.public_keys()
    except (ComplianceError, Error):
        known = []
    if not known:
        raise BackupFailed(
            "The keys database of settings holds no signing key to check manifests by. Name it with --verifier-key: "
            "manage.py backup prints it, and the admin's page Keys shows it. Keep it with BACKUP_KEYS."
        )
    return known


@contextmanager
def _alone(target: Params) -> Iterator[None]:
    with postgres.connected(databases.server_of(target)) as server:
        if not postgres.one(server, "SELECT pg_try_advisory_lock(7262012)"):
            raise BackupFailed("Another restore is under way on this server. Wait for its end.")
        yield
