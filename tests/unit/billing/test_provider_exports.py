"""Exports are read exactly, or refused with the line that is wrong."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import provider_exports
from billing.provider_exports import FORMS, BadExport, Served, parse

DAY = date(2026, 3, 2)
USAGE = (
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,"
    "service_tier,input_tokens,output_tokens,input_cached_tokens\n"
)
COSTS = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id\n"


def test_it_works() -> None:
    text = (
        "date,model,requests,input_tokens,cached_tokens,output_tokens,cost\n2026-03-02,gpt-a,3,100,10,20,0.000000001\n"
    )
    served = Served(
        day=DAY, model="gpt-a", requests=3, input_tokens=100, cached_tokens=10, output_tokens=20, cost_nano=1
    )
    assert parse(text.encode(), form="generic") == [served]


def test_a_usage_export_is_read() -> None:
    rows = (
        "1772409600,1772496000,2026-03-02T00:00:00+00:00,2026-03-03T00:00:00+00:00,p,5,,,gpt-a,false,default,1000,500,800\n"
        "1772496000,1772582400,2026-03-03T00:00:00+00:00,2026-03-04T00:00:00+00:00,,,,,,,,,,\n"
    )
    served = Served(day=DAY, model="gpt-a", requests=5, input_tokens=1000, cached_tokens=800, output_tokens=500)
    assert parse((USAGE + rows).encode(), form="openai_usage") == [served]


def test_a_cost_export_is_read() -> None:
    rows = (
        '1772409600,1772496000,2026-03-02T00:00:00+00:00,,0.8958740000000000,usd,"gpt-a, input",p\n'
        "1772409600,1772496000,,,1.2e-05,usd,,p\n"
        "1772496000,1772582400,,,,,,\n"
    )
    assert parse((COSTS + rows).encode(), form="openai_costs") == [
        Served(day=DAY, model="gpt-a", cost_nano=895_874_000),
        Served(day=DAY, model="", cost_nano=12_000),
    ]


def test_a_mark_at_the_beginning_windows_lines_and_empty_lines_do_no_harm() -> None:
    text = "\ufeffDate, Model ,Cost\r\n2026-03-02, gpt-a ,1\r\n,,\r\n\r\n"
    assert parse(text.encode(), form="generic") == [Served(day=DAY, model="gpt-a", cost_nano=10**9)]


def test_a_time_is_of_its_day_in_utc() -> None:
    (served,) = parse(b"date,model\n2026-03-03T01:00:00+02:00,gpt-a\n", form="generic")
    assert served.day == DAY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is empty"),
        (b"date;model;cost\n", "not separated by commas"),
        (b"date,cost\n", "Line 1: there is no column model"),
        (b"date,model,cost,cost\n", "column cost is there twice"),
        (b"date,model,cost\n2026-03-02,gpt-a,1\n2026-03-32,gpt-a,1\n", "Line 3: date is '2026-03-32'"),
        (b"date,model,cost\n2026-03-02,gpt-a\n", "Line 2: it has another number of cells"),
        (b"date,model,cost\n2026-03-02,gpt-a,1,2\n", "Line 2: it has another number of cells"),
        (b'date,model,cost\n2026-03-02,gpt-a,"0,5"\n', "Line 2: cost is '0,5'; write decimals with a point"),
        (b'date,model,requests\n2026-03-02,gpt-a,"1,000"\n', "no marks between thousands"),
        (b"date,model,cost\n2026-03-02,gpt-a,NaN\n", "no amount"),
        (b"date,model,cost\n2026-03-02,gpt-a,1e99\n", "no amount"),
        (b"date,model,requests\n2026-03-02,gpt-a,-1\n", "no count"),
        (b"date,model,requests\n2026-03-02,gpt-a,1.5\n", "no count"),
        (b"date,model,cost\n2026-03-02,gpt-\xe4,1\n", "Line 2: this is not UTF-8"),
        (b"date,model,cost\n2026-03-02,gpt-\0,1\n", "Line 2: a NUL"),
        (b'date,model,cost\n2026-03-02,"gpt,1\n', "Line 2: this is not CSV"),
        (b"date,model\n2026-03-02," + b"m" * 201 + b"\n", "Line 2: the model's name is longer"),
        ((COSTS + "1772409600,,,,1,eur,,\n").encode(), "only US dollars"),
        ((COSTS + "soon,,,,1,usd,,\n").encode(), "no time in seconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_with_its_line(text: bytes, words: str) -> None:
    form = "openai_costs" if text.startswith(b"start_time") else "generic"
    with pytest.raises(BadExport) as refusal:
        parse(text, form=form)
    assert words in str(refusal.value)


def test_a_file_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_exports, "MOST_ROWS", 2)
    with pytest.raises(BadExport, match="more than 2 rows"):
        parse(b"date,model\n" + b"2026-03-02,gpt-a\n" * 3, form="generic")
    monkeypatch.setattr(provider_exports, "MOST_BYTES", 5)
    with pytest.raises(BadExport, match="MB"):
        parse(b"date,model\n", form="generic")


@given(st.binary(max_size=200), st.sampled_from(sorted(FORMS)))
def test_whatever_is_sent_is_read_or_refused(data: bytes, form: str) -> None:
    header = {"openai_usage": USAGE, "openai_costs": COSTS, "generic": "date,model,cost\n"}[form]
    for sent in (data, header.encode() + data):
        try:
            parse(sent, form=form)
        except BadExport as error:
            assert str(error)  # noqa: PT017 - either outcome is right, and nothing else is
