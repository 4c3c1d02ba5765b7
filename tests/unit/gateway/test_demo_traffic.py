"""The demo's two weeks of requests."""

from datetime import UTC, datetime, timedelta

from billing.money import Rates, Tokens, cost_nano
from gateway.demo.traffic import DAYS, Caller, Habit, history

UNTIL = datetime(2026, 11, 18, 15, 30, tzinfo=UTC)
RATES = {
    name: Rates(input_nano=1_000, output_nano=4_000, cached_input_nano=500, cache_write_nano=0)
    for name in ("sandbox-small", "sandbox-large")
}
A_CALLER = Caller(
    tenant_id=1,
    application_id=2,
    api_key_id=3,
    environment="production",
    time_zone="Europe/Berlin",
    habit=Habit(an_hour=20, prompt_tokens=500, answer_tokens=100, large=0.2, streamed=0.5, refused=0.1),
)


def records() -> list[dict[str, object]]:
    return list(history([A_CALLER], rates=RATES, until=UNTIL))


def test_it_works() -> None:
    assert len(records()) > 1000


def test_the_same_moment_has_the_same_past() -> None:
    assert records() == records()


def test_nothing_lies_in_the_future_or_before_two_weeks() -> None:
    times = [record["at"] for record in records()]
    assert all(isinstance(at, datetime) and UNTIL - timedelta(days=DAYS, hours=1) <= at < UNTIL for at in times)


def test_costs_are_those_of_the_tokens() -> None:
    for record in records():
        counts = [record.get(f"{kind}_tokens", 0) for kind in ("input", "output", "cached_input")]
        assert all(isinstance(count, int) for count in counts)
        tokens = Tokens(*counts)  # type: ignore[arg-type]
        assert record.get("cost_nano", 0) == (cost_nano(tokens, RATES["sandbox-small"]) if tokens.total else 0)


def test_working_days_are_busier_than_weekends_and_noon_than_night() -> None:
    times = [record["at"] for record in records() if isinstance(record["at"], datetime)]
    weekend = [at for at in times if at.weekday() >= 5]
    night = [at for at in times if at.hour < 4]
    assert len(weekend) < len(times) / 6
    assert len(night) < len(times) / 50


def test_refusals_cost_nothing_and_reach_no_provider() -> None:
    refused = [record for record in records() if record["outcome"] == "refused"]
    assert refused
    assert not any("cost_nano" in record or "provider" in record for record in refused)
