"""Rollups of usage, and what is kept of dropped months. The tables are made by the SQL file; Django only reads them."""

from typing import Any

from django.db import migrations, models

from config.sqlfiles import run_sql

REVERSE = """
DROP INDEX usage_refused_at;
DROP TABLE billing_droppedmonth, billing_meterbalance, billing_usagelatency, billing_usagevalue, billing_usageday,
    billing_usagehour;
DROP FUNCTION latency_bucket(integer);
DROP FUNCTION usage_hour(timestamptz, text);
"""
SUMS = (
    "requests",
    "refused",
    "failed",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano",
    "estimated_nano",
)
DIVIDED_BY = {
    "application_id": models.BigIntegerField(),
    "api_key_id": models.BigIntegerField(),
    "environment": models.CharField(max_length=16),
    "model": models.CharField(max_length=200),
    "provider": models.CharField(max_length=50),
    "upstream_model": models.CharField(max_length=200),
}


def read_only(name: str, key: dict[str, Any], *others: str) -> migrations.CreateModel:
    """A table whose primary key is those columns, and its other columns, all of them whole numbers."""
    primary = models.CompositePrimaryKey(*key, blank=True, editable=False, primary_key=True, serialize=False)
    columns = {**key, **{column: models.BigIntegerField() for column in others}}
    options = {"managed": False, "db_table": f"billing_{name.lower()}"}
    return migrations.CreateModel(name, [("pk", primary), *columns.items()], options)


TENANT = {"tenant_id": models.BigIntegerField()}
DAY = {"day": models.DateField()}


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("billing", "0004_usage_attribution")]
    operations = [
        run_sql("billing", "rollups", reverse=REVERSE),
        read_only("UsageHour", {**TENANT, "hour": models.DateTimeField(), **DIVIDED_BY}, *SUMS),
        read_only("UsageDay", {**TENANT, **DAY, **DIVIDED_BY}, *SUMS),
        read_only(
            "UsageValue",
            {
                **TENANT,
                "kind": models.CharField(max_length=8),
                "tag": models.CharField(max_length=64),
                **DAY,
                "application_id": models.BigIntegerField(),
                "value": models.CharField(max_length=64),
            },
            *SUMS,
        ),
        read_only("UsageLatency", {**TENANT, **DAY, "bucket": models.SmallIntegerField()}, "answered"),
        read_only("MeterBalance", {"meter_id": models.BigIntegerField(), "before": models.DateField()}, "cost_nano"),
        migrations.CreateModel(
            "DroppedMonth",
            [
                ("month", models.DateField(primary_key=True, serialize=False)),
                ("requests", models.BigIntegerField()),
                ("cost_nano", models.BigIntegerField()),
                ("dropped_at", models.DateTimeField()),
            ],
            {"managed": False, "db_table": "billing_droppedmonth"},
        ),
    ]
