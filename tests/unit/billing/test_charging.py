"""Which meters a request is charged to."""

from dataclasses import replace

import pytest

from billing import charging
from billing.charging import COMBINATIONS_KEPT, NOBODY, Charging, Facts, Rule
from billing.contracts import MeterKind, MeterSet, MeterSpec

ALICE, BOB = "eu_alice", "eu_bob"


def a_spec(name: str = "budget/1/month", **fields: object) -> MeterSpec:
    values = {"tenant_id": 1, "label": name, "kind": MeterKind.BUDGET, "limit": 100, **fields}
    return MeterSpec(name=name, **values)  # type: ignore[arg-type]


def facts(*, model: str = "large", end_user: str = "", **tags: str) -> Facts:
    return Facts(model=model, end_user=end_user, tags=tags)


def names(meters: MeterSet) -> list[str]:
    return [spec.name for spec in meters.specs]


@pytest.mark.parametrize(
    ("narrowed", "asked", "covered"),
    [
        pytest.param({}, facts(), True, id="whatever"),
        pytest.param({"model": "large"}, facts(), True, id="its model"),
        pytest.param({"model": "large"}, facts(model="small"), False, id="another model"),
        pytest.param({"end_user": ALICE}, facts(end_user=ALICE), True, id="its end user"),
        pytest.param({"end_user": ALICE}, facts(end_user=BOB), False, id="another end user"),
        pytest.param({"end_user": ALICE}, facts(), False, id="no end user"),
        pytest.param({"tag": "feature", "tag_value": "chat"}, facts(feature="chat"), True, id="its value"),
        pytest.param({"tag": "feature", "tag_value": "chat"}, facts(feature="mail"), False, id="another value"),
        pytest.param({"tag": "feature", "tag_value": "chat"}, facts(), False, id="without the tag"),
        pytest.param({"tag": "feature", "tag_value": "chat"}, facts(team="chat"), False, id="its value, another tag"),
        pytest.param({"model": "large", "end_user": ALICE}, facts(end_user=ALICE), True, id="both"),
        pytest.param({"model": "large", "end_user": ALICE}, facts(end_user=BOB), False, id="one of two"),
    ],
)
def test_a_rule_is_for_the_requests_that_match_all_of_it(narrowed: dict[str, str], asked: Facts, covered: bool) -> None:
    rule = Rule(spec=a_spec(), **narrowed)  # type: ignore[arg-type]
    assert rule.meter(asked) == (a_spec() if covered else None)


@pytest.mark.parametrize(
    ("rule", "asked", "value"),
    [
        pytest.param({"each": "end_user"}, facts(end_user=ALICE), ALICE, id="an end user"),
        pytest.param({"each": "end_user"}, facts(), NOBODY, id="nobody"),
        pytest.param({"each": "model"}, facts(), charging.value_key("large"), id="a model"),
        pytest.param({"each": "tag", "tag": "f"}, facts(f="chat"), charging.value_key("chat"), id="a value"),
    ],
)
def test_each_value_has_a_meter_of_its_own(rule: dict[str, str], asked: Facts, value: str) -> None:
    meter = Rule(spec=a_spec(limit=7), **rule).meter(asked)  # type: ignore[arg-type]
    assert meter == a_spec(f"budget/1/month#{value}", label="budget/1/month", limit=7)


def test_without_the_tag_none_of_its_values_is_charged() -> None:
    assert Rule(spec=a_spec(), each="tag", tag="feature").meter(facts(team="a")) is None


@pytest.mark.parametrize(
    "value",
    ["chat", "Grün — 緑 🟢", "a" * 64, '{,}"\\ #', "\ud800"],
    ids=["a word", "unicode", "long", "signs", "a lone surrogate"],
)
def test_any_value_can_be_part_of_a_meters_name(value: str) -> None:
    key = charging.value_key(value)
    assert len(key) == 24
    assert key.isascii()
    assert key.isalnum()
    assert key == charging.value_key(value) != charging.value_key(f"{value} ")


def test_fixed_meters_come_first_and_rules_in_their_order() -> None:
    rules = (Rule(spec=a_spec("b"), each="end_user"), Rule(spec=a_spec("a"), model="large"))
    known = Charging((a_spec("z"),), rules)
    assert names(known.of(facts(end_user=ALICE))) == ["z", f"b#{ALICE}", "a"]
    assert names(known.of(facts(model="small"))) == ["z", f"b#{NOBODY}"]
    assert names(known.whole) == ["z"]


def test_without_rules_all_requests_share_one_set() -> None:
    known = Charging((a_spec(),))
    assert known.of(facts(end_user=ALICE)) is known.of(facts(model="small", feature="chat")) is known.whole


def test_equal_requests_get_the_same_value_and_what_no_rule_asks_for_is_no_difference() -> None:
    known = Charging((), (Rule(spec=a_spec(), tag="feature", each="tag"),))
    one = known.of(facts(end_user=ALICE, model="a", feature="chat", team="x"))
    assert known.of(facts(end_user=BOB, model="b", feature="chat", team="y")) is one
    assert known.of(facts(end_user=ALICE, model="a", feature="mail", team="x")) is not one


def test_a_tag_and_a_model_of_the_same_name_are_two_things() -> None:
    rules = (Rule(spec=a_spec("m"), model="x"), Rule(spec=a_spec("t"), tag="tag", tag_value="x"))
    known = Charging((), rules)
    assert names(known.of(facts(model="x"))) == ["m"]
    assert names(known.of(facts(model="", tag="x"))) == ["t"]


def test_only_so_many_combinations_are_kept() -> None:
    known = Charging((), (Rule(spec=a_spec(), each="end_user"),))
    first = known.of(facts(end_user="0"))
    last = [known.of(facts(end_user=str(number))) for number in range(1, COMBINATIONS_KEPT + 1)][-1]
    assert known.of(facts(end_user=str(COMBINATIONS_KEPT))) is last
    again = known.of(facts(end_user="0"))
    assert again is not first, "the oldest one is forgotten"
    assert names(again) == names(first)


def test_only_the_meter_that_there_is_no_room_for_is_shared() -> None:
    meters = MeterSet((a_spec("a"), a_spec("b#x", limit=3), a_spec("c#x")))
    shared = charging.shared(meters, name="b#x")
    assert names(shared) == ["a", "b#", "c#x"]
    assert shared.specs[1] == replace(meters.specs[1], name="b#")
    assert names(charging.shared(meters, name="a")) == ["a", "b#x", "c#x"], "it is for all already"


def test_named_budgets_count_and_no_longer_refuse() -> None:
    meters = MeterSet((a_spec("a", downgrade_to="small"), a_spec("b")))
    lenient = charging.without_refusal(meters, budgets=frozenset({"a"}))
    assert [spec.soft for spec in lenient.specs] == [True, False]
    assert names(lenient) == names(meters)
    assert [spec.soft for spec in meters.specs] == [False, False]
