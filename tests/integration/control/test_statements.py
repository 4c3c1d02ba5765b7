"""Monthly statements say what rollups and adjustments say, in the tenant's months, and always the same."""

import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from accounts.models import ApiKey
from billing import money
from billing.actions import adjustments
from billing.exports import statement_pdf
from billing.models import Adjustment
from billing.statements import month_of, statement
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.control import a_usage_record, an_admin
from tests.factories.rollups import added_up

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

MARCH = date(2026, 3, 1)
NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> ApiKey:
    """A key of acme in Berlin, in the middle of April."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    return a_key(tenant=a_tenant("acme", time_zone="Europe/Berlin"))[0]


def spent(key: ApiKey, nano: int, at: datetime, **fields: object) -> None:
    a_usage_record(key, at=at, cost_nano=nano, **fields)
    added_up()


def an_adjustment(key: ApiKey, nano: int, at: datetime, reason: str = "invoice 17") -> None:
    adjustment = Adjustment(tenant=key.tenant, amount_nano=nano, reason=reason, created_at=at)
    adjustments.add(adjustment=adjustment, by=THE_SYSTEM)


def test_it_works(key: ApiKey) -> None:
    spent(key, 3_000_000_000, datetime(2026, 3, 10, tzinfo=UTC), model="gpt-a", estimated=True)
    spent(key, 1_000_000_000, datetime(2026, 3, 11, tzinfo=UTC), model="gpt-b")
    an_adjustment(key, -500_000_000, datetime(2026, 3, 12, tzinfo=UTC))
    made = statement(key.tenant, MARCH)
    assert [(line.label, line.cost_nano) for line in made.models] == [("gpt-a", 3 * 10**9), ("gpt-b", 10**9)]
    assert [line.cost_nano for line in made.applications] == [4 * 10**9]
    assert [line.cost_nano for line in made.keys] == [4 * 10**9]
    assert (made.usage.requests, made.usage.input_tokens, made.usage.output_tokens) == (2, 200, 40)
    assert (made.adjusted_nano, made.total_nano, made.estimated) == (-500_000_000, 3_500_000_000, "75.0 %")
    assert len(made.days) == 31
    assert [line.cost_nano for line in made.days if line.cost_nano] == [3 * 10**9, 10**9]
    assert made.is_final


def test_a_month_is_the_tenants_own(key: ApiKey) -> None:
    spent(key, 1, datetime(2026, 2, 28, 23, 30, tzinfo=UTC))  # 0:30 on the first of March in Berlin
    spent(key, 10, datetime(2026, 3, 31, 22, 30, tzinfo=UTC))  # 0:30 on the first of April, in summer time
    an_adjustment(key, 100, datetime(2026, 2, 28, 23, 30, tzinfo=UTC))
    an_adjustment(key, 1000, datetime(2026, 3, 31, 22, 30, tzinfo=UTC))
    assert statement(key.tenant, MARCH).total_nano == 101


def test_nothing_of_another_tenant_is_on_it(key: ApiKey) -> None:
    other = a_key(tenant=a_tenant("umbrella", time_zone="Europe/Berlin"))[0]
    spent(other, 5, datetime(2026, 3, 10, tzinfo=UTC))
    an_adjustment(other, 7, datetime(2026, 3, 10, tzinfo=UTC))
    made = statement(key.tenant, MARCH)
    assert (made.total_nano, list(made.models), list(made.adjustments)) == (0, [], [])


def test_a_month_that_is_over_is_the_same_whenever_it_is_asked_for(key: ApiKey) -> None:
    spent(key, 123_456_789, datetime(2026, 3, 10, tzinfo=UTC))
    first = statement(key.tenant, MARCH, now=datetime(2026, 4, 3, tzinfo=UTC))
    spent(key, 1, datetime(2026, 4, 2, tzinfo=UTC))
    an_adjustment(key, -1, datetime(2026, 4, 2, tzinfo=UTC))
    second = statement(key.tenant, MARCH, now=datetime(2027, 1, 1, tzinfo=UTC))
    assert second.figures == first.figures
    assert statement_pdf.pdf(second) == statement_pdf.pdf(first)


def test_the_fingerprint_tells_when_a_figure_is_another(key: ApiKey) -> None:
    before = statement(key.tenant, MARCH).fingerprint
    spent(key, 1, datetime(2026, 3, 10, tzinfo=UTC))
    assert statement(key.tenant, MARCH).fingerprint != before


def test_a_month_is_provisional_until_it_is_settled(key: ApiKey) -> None:
    assert not statement(key.tenant, MARCH, now=datetime(2026, 3, 31, tzinfo=UTC)).is_final
    assert not statement(key.tenant, MARCH, now=datetime(2026, 4, 1, 12, tzinfo=UTC)).is_final
    assert statement(key.tenant, MARCH, now=datetime(2026, 4, 2, 12, tzinfo=UTC)).is_final


def test_the_file_says_what_the_page_says(key: ApiKey, client: Client) -> None:
    spent(key, 3_000_000_001, datetime(2026, 3, 10, tzinfo=UTC), model="gpt-a<b>&")
    an_adjustment(key, -500_000_000, datetime(2026, 3, 12, tzinfo=UTC), reason="invoice 17 & more")
    client.force_login(an_admin())
    address = {"tenant": key.tenant.slug, "month": "2026-03"}
    text = client.get("/admin/statements/", address).content.decode()
    file = client.get("/admin/statements/", {**address, "format": "pdf"})
    assert file["Content-Type"] == "application/pdf"
    written = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(file.content)).pages)
    number = statement(key.tenant, MARCH).number
    for each in ("$3.000000001", "$2.500000001", "−$0.50", number, statement(key.tenant, MARCH).fingerprint):
        assert each in text
        assert each in written
    assert "gpt-a<b>&" in written
    assert "gpt-a&lt;b&gt;&amp;" in text
    assert "invoice 17 & more" in written


def test_the_page_offers_tenants_and_refuses_what_there_is_not(key: ApiKey, client: Client) -> None:
    client.force_login(an_admin())
    assert key.tenant.slug in client.get("/admin/statements/").content.decode()
    assert "provisional" in client.get("/admin/statements/", {"tenant": key.tenant.slug}).content.decode()
    for address in ({"tenant": "nobody"}, {"tenant": key.tenant.slug, "month": "soon"}, {"tenant": "a\0b"}):
        assert client.get("/admin/statements/", address).status_code == 404


def test_who_may_not_see_usage_sees_no_statement(key: ApiKey, client: Client) -> None:
    client.force_login(an_admin(is_superuser=False))
    assert client.get("/admin/statements/", {"tenant": key.tenant.slug}).status_code == 403


def test_a_month_without_anything_has_a_statement(key: ApiKey) -> None:
    made = statement(key.tenant, MARCH)
    assert (made.total_nano, made.estimated) == (0, "0.0 %")
    assert PdfReader(io.BytesIO(statement_pdf.pdf(made))).pages


def test_very_many_lines_take_more_pages(key: ApiKey) -> None:
    for n in range(120):
        a_usage_record(key, at=datetime(2026, 3, 10, tzinfo=UTC), model=f"model-{n}")
    added_up()
    assert len(PdfReader(io.BytesIO(statement_pdf.pdf(statement(key.tenant, MARCH)))).pages) > 2


def test_the_command_writes_the_file(key: ApiKey, tmp_path: Path) -> None:
    file = tmp_path / "out.pdf"
    call_command("statement", tenant=key.tenant.slug, month="2026-03", pdf=file, stdout=io.StringIO())
    assert file.read_bytes() == statement_pdf.pdf(statement(key.tenant, MARCH))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tenant": "nobody"}, "no tenant"),
        ({"month": "March"}, "is no month"),
        ({"pdf": Path("/nowhere/x.pdf")}, "/nowhere"),
    ],
    ids=["no tenant", "no month", "no folder"],
)
def test_the_command_says_what_is_wrong(key: ApiKey, options: dict[str, object], words: str) -> None:
    usual = {"tenant": key.tenant.slug, "month": "2026-03", "pdf": Path("/dev/null")}
    with pytest.raises(CommandError, match=words):
        call_command("statement", **{**usual, **options})


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "$0.00"), (1, "$0.000000001"), (1_500_000_000, "$1.50"), (-2_000_000_000_000, "−$2,000.00")],
    ids=["nothing", "the least", "cents", "a credit"],
)
def test_dollars_lose_no_digit(nano: int, text: str) -> None:
    assert money.in_full(nano) == text


def test_a_month_is_named_one_way() -> None:
    assert month_of("2026-03") == MARCH
    for text in ("2026-13", "March", "2026-03-01", ""):
        with pytest.raises(ValueError, match="is no month"):
            month_of(text)
