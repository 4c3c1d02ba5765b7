"""What a provider says is held against what was recorded, per day and model."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from billing.actions import reconciliations
from billing.models import Reconciliation, ReconciliationLine
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_key
from tests.factories.accounting import a_reconciliation
from tests.factories.control import a_refusal, a_usage_record
from tests.factories.rollups import added_up

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

HEADER = "date,model,requests,input_tokens,cached_tokens,output_tokens,cost\n"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Spend = Callable[..., None]


@pytest.fixture
def spend() -> Spend:
    """Requests to the provider, each of a dollar, on the second of March."""
    key = a_key()[0]

    def spend(model: str, *, nano: int = 10**9, provider: str = "openai", **fields: Any) -> None:
        a_usage_record(key, **{"at": NOON, "provider": provider, "upstream_model": model, "cost_nano": nano, **fields})
        added_up()

    return spend


def compared(export: str, **fields: Any) -> Reconciliation:
    march = {"starts_on": date(2026, 3, 1), "ends_on": date(2026, 3, 31)}
    return a_reconciliation(export, **{**march, **fields})


def sides(row: Reconciliation) -> dict[str, tuple[str, bool]]:
    return {line.model: (line.side, line.is_within) for line in row.lines.all()}


def test_it_works(spend: Spend) -> None:
    spend("gpt-a")
    spend("gpt-b")
    spend("gpt-c")
    row = compared(f"{HEADER}2026-03-02,gpt-a,1,100,0,20,1\n2026-03-02,gpt-b,1,100,0,20,1.5\n2026-03-02,gpt-d,7,,,,2\n")
    assert sides(row) == {
        "gpt-a": ("both", True),
        "gpt-b": ("both", False),
        "gpt-c": ("ours", False),
        "gpt-d": ("theirs", False),
    }
    assert (row.ours_nano, row.theirs_nano, row.differing, row.rows) == (3 * 10**9, 4_500_000_000, 3, 3)
    assert len(row.file_sha256) == 64
    assert AuditEvent.objects.filter(action="reconciliation.created", target_id=str(row.pk)).exists()


@pytest.mark.parametrize(
    ("cost", "tolerance_bp", "is_within"),
    [
        ("1.005", 50, True),
        ("1.00502", 50, True),
        ("1.00503", 50, False),
        ("0.995", 50, False),
        ("1.000000001", 0, False),
        ("1", 0, True),
        ("0", 10_000, False),
    ],
    ids=["within", "just within", "just beyond", "beyond, of less", "a nano-dollar", "equal", "nothing there"],
)
def test_the_tolerance_is_a_share_of_what_the_provider_says(
    spend: Spend, cost: str, tolerance_bp: int, is_within: bool
) -> None:
    spend("gpt-a")
    row = compared(f"date,model,cost\n2026-03-02,gpt-a,{cost}\n", tolerance_bp=tolerance_bp)
    assert sides(row) == {"gpt-a": ("both", is_within)}


def test_what_the_provider_does_not_say_is_not_held_against_it(spend: Spend) -> None:
    spend("gpt-a")
    row = compared("date,model,requests\n2026-03-02,gpt-a,1\n")
    assert sides(row) == {"gpt-a": ("both", True)}
    assert row.theirs_nano is None


def test_the_rows_of_a_day_and_model_are_added_up(spend: Spend) -> None:
    spend("gpt-a")
    spend("gpt-a")
    row = compared("date,model,requests,cost\n2026-03-02,gpt-a,1,0.5\n2026-03-02,gpt-a,1,1.5\n")
    assert sides(row) == {"gpt-a": ("both", True)}


def test_a_dated_name_counts_as_the_model_that_is_called(spend: Spend) -> None:
    spend("gpt-a")
    assert sides(compared("date,model,cost\n2026-03-02,gpt-a-2024-08-06,1\n")) == {"gpt-a": ("both", True)}
    spend("gpt-a-2024-08-06")
    row = compared("date,model,cost\n2026-03-02,gpt-a-2024-08-06,1\n")
    assert sides(row) == {"gpt-a": ("ours", False), "gpt-a-2024-08-06": ("both", True)}


def test_an_export_without_models_is_compared_by_day(spend: Spend) -> None:
    spend("gpt-a")
    spend("gpt-b")
    export = "start_time,end_time,start_time_iso,amount_value,amount_currency,line_item\n"
    row = compared(f"{export}1772409600,1772496000,,2.0000000,usd,\n", format="openai_costs")
    assert sides(row) == {"": ("both", True)}


def test_refusals_other_providers_and_other_days_do_not_count(spend: Spend) -> None:
    spend("gpt-a", provider="another")
    spend("gpt-a", at=datetime(2026, 4, 1, tzinfo=UTC))
    key = a_key()[0]
    a_refusal(key, at=NOON, provider="openai", upstream_model="gpt-a")
    added_up()
    row = compared("date,model,cost\n2026-04-02,gpt-a,1\n")
    assert sides(row) == {}
    assert (row.ours_nano, row.theirs_nano, row.rows, row.ignored_rows) == (0, None, 1, 1)


@pytest.mark.parametrize(
    ("export", "fields", "words"),
    [
        ("date,model,cost\n2026-03-02,gpt-a,1\n2026-03-02,gpt-a,much\n", {}, "Line 3"),
        ("", {"starts_on": date(2026, 4, 1), "ends_on": date(2026, 3, 1)}, "before the first day"),
        ("", {"starts_on": date(2020, 4, 1)}, "at most 400 days"),
    ],
    ids=["a bad line", "a span backwards", "too long a span"],
)
def test_what_is_refused_leaves_nothing(export: str, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        compared(export, **fields)
    assert not Reconciliation.objects.exists()
    assert not ReconciliationLine.objects.exists()


def test_it_stays_as_it_was_found_until_it_is_removed(spend: Spend) -> None:
    spend("gpt-a")
    row = compared("date,model,cost\n2026-03-02,gpt-a,1\n")
    spend("gpt-a")
    row.refresh_from_db()
    assert (row.ours_nano, row.differing) == (10**9, 0)
    reconciliations.remove(reconciliation=row, by=THE_SYSTEM)
    assert not ReconciliationLine.objects.exists()
