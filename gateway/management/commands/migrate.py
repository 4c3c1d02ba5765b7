"""Django's `migrate` for all databases at once, creating those that do not exist yet, and adding up usage that an
earlier version left without rollups.
"""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections

from billing import uncounted
from billing.actions import rollups
from compliance.contracts import Actor
from compliance.management.progress import Bar
from config import embedded
from config.routers import APART, alias_of

ACTOR = Actor(kind="command", id="migrate")


class Command(migrate.Command):
    help = "Creates missing databases and brings all of them up to date; with --database, only that one."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        databases = [options["database"]] if options["database"] else [DEFAULT_DB_ALIAS, *APART]
        return {**dict[Any, Any](super().get_check_kwargs(options)), "databases": databases}

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"]:
            super().handle(*args, **options)
            return
        _create_databases()
        for alias, label in ((DEFAULT_DB_ALIAS, options["app_label"]), *((app, app) for app in APART)):
            if options["app_label"] is None or alias_of(options["app_label"]) == alias:
                super().handle(*args, **{**options, "database": alias, "app_label": label})
        call_command("createcachetable", verbosity=0)
        if options["app_label"] is None and not (options["plan"] or options["check_unapplied"]):
            self._add_up_usage()

    def _add_up_usage(self) -> None:
        """Tells how far it is whatever the verbosity: years of usage take a while, and that happens once."""
        span = uncounted.span()
        if span is None:
            return
        start, end = span
        self.stdout.write("\nAdding up usage records that are older than the rollups:")
        bar = Bar(self.stdout, total=(end - start).days, unit="days")
        rollups.rebuild(
            start=start,
            end=end,
            by=ACTOR,
            newest_first=True,
            progress=lambda day, records: bar.show((end - day).days),
        )


def _create_databases() -> None:
    """Makes what the URLs of the databases name; the embedded server has made its own."""
    for connection in connections.all():
        params = connection.get_connection_params()
        name = params.pop("dbname")
        for option in ("cursor_factory", "context", "prepare_threshold", "pool", "client_encoding"):
            params.pop(option, None)
        embedded.create_missing(params, name)
