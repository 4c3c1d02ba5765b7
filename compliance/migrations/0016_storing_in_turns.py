"""A batch of content is stored a few rows at a time, with rests between them, and is planned once per connection. Whatever
is stored stays as it is."""

from importlib.resources import files

from django.db import migrations

from config.sqlfiles import run_sql

_STORE = "store_transcripts(jsonb, jsonb, uuid[], timestamptz[], integer[], integer[], integer[], integer[], integer[], bytea"
_before = files("compliance").joinpath("sql", "store_by_columns.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("compliance", "0015_storing_by_columns")]
    operations = [
        migrations.RunSQL(
            f"DROP FUNCTION {_STORE}, boolean)", _before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        ),
        run_sql(
            "compliance",
            "store_in_turns",
            reverse=f"DROP FUNCTION {_STORE}, integer, boolean); DROP FUNCTION rested(anyelement, bigint, integer);",
        ),
    ]
