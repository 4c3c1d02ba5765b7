"""Content is stored in small transactions with pauses between them, in place of large ones with rests inside. Whatever is
stored stays as it is."""

from importlib.resources import files

from django.db import migrations

from config.sqlfiles import run_sql

_STORE = "store_transcripts(jsonb, jsonb, uuid[], timestamptz[], integer[], integer[], integer[], integer[], integer[], bytea"
_before = files("compliance").joinpath("sql", "store_in_turns.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("compliance", "0016_storing_in_turns")]
    operations = [
        migrations.RunSQL(
            f"DROP FUNCTION {_STORE}, integer, boolean); DROP FUNCTION rested(anyelement, bigint, integer);", _before
        ),
        run_sql("compliance", "consent_in_force", reverse="DROP VIEW consent_in_force"),
        run_sql("compliance", "store_in_parts", reverse=f"DROP FUNCTION {_STORE}, boolean); DROP FUNCTION content_refusals(jsonb)"),
    ]
