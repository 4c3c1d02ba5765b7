"""Batches of content are told by columns, which costs half as much; and which decisions there were of late needs no
index of its own but a summary, as they are written in the order of time. Whatever is stored stays as it is."""

from importlib.resources import files

from django.db import migrations

from config.sqlfiles import run_sql

_before = files("compliance").joinpath("sql", "store_transcripts.sql").read_text(encoding="utf-8")
REVERSE = """
DROP FUNCTION store_transcripts(
    jsonb, jsonb, uuid[], timestamptz[], integer[], integer[], integer[], integer[], integer[], bytea, boolean);
""" + _before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")

BY_TIME = """
DROP INDEX decision_by_time;
CREATE INDEX decision_by_time ON content_decision USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
"""
BY_TIME_BEFORE = """
DROP INDEX decision_by_time;
CREATE INDEX decision_by_time ON content_decision (at) INCLUDE (reason);
"""


class Migration(migrations.Migration):
    dependencies = [("compliance", "0014_blocked_subjects")]
    operations = [
        run_sql("compliance", "store_by_columns", reverse=REVERSE),
        migrations.RunSQL(BY_TIME, BY_TIME_BEFORE),
    ]
