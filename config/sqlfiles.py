"""Migrations that run an app's `.sql` files."""

from importlib.resources import files

from django.db import migrations


def run_sql(app: str, name: str, *, reverse: str) -> migrations.RunSQL:
    """An operation that runs `<app>/sql/<name>.sql`, undone by the statements in `reverse`."""
    text = files(app).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return migrations.RunSQL(text, reverse)
