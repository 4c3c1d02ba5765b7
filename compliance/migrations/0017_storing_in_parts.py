"""Content is stored in small transactions with pauses between them, in place of large ones with rests inside, and what all
people of one allow is asked at once. Whatever is stored stays as it is."""

from importlib.resources import files

from django.db import migrations

from config.sqlfiles import run_sql

_STORE = "store_transcripts(jsonb, jsonb, uuid[], timestamptz[], integer[], integer[], integer[], integer[], integer[], bytea"


def _sql(name: str) -> str:
    return files("compliance").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _function(name: str, *, of: str) -> str:
    """That function as it was in an earlier file, where it is the first one."""
    text = _sql(of)
    begin = text.index(f"FUNCTION {name}(")
    return "CREATE OR REPLACE " + text[begin : text.index("END $$;", begin)] + "END $$;"


class Migration(migrations.Migration):
    dependencies = [("compliance", "0016_storing_in_turns")]
    operations = [
        migrations.RunSQL(
            f"DROP FUNCTION {_STORE}, integer, boolean); DROP FUNCTION rested(anyelement, bigint, integer);",
            _sql("store_in_turns"),
        ),
        run_sql(
            "compliance",
            "consent_in_force",
            reverse=f"{_function('consent_allows', of='consent')} DROP VIEW consent_in_force;",
        ),
        run_sql(
            "compliance",
            "store_in_parts",
            reverse=f"DROP FUNCTION {_STORE}, boolean); DROP FUNCTION content_refusals(jsonb);",
        ),
        migrations.RunSQL("DROP FUNCTION content_also_for;", _function("content_also_for", of="store_by_columns")),
    ]
