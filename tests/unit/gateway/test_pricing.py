"""What a request is held for and charged, by its service tier and what else it asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Rates, Tokens
from gateway import pricing
from gateway.pricing import Unpriced
from gateway.routing import ModelRoutes, Route
from gateway.wire import body
from gateway.wire.chat import ChatRequest


def rates(factor: int = 1, **fields: int | None) -> Rates:
    """A thousand nano-dollars per token of input, five thousand of output, times `factor`."""
    nano = 1_000_000_000 * factor
    return Rates(input_nano=nano, output_nano=5 * nano, cached_input_nano=nano // 2, cache_write_nano=0, **fields)  # type: ignore[arg-type]


def a_route(default: Rates | None = None, **tiers: Rates) -> Route:
    return Route(
        provider="p",
        base_url="http://127.0.0.1",
        upstream_model="m",
        credential="",
        output_limit_field="max_tokens",
        connect_timeout_s=1,
        read_timeout_s=1,
        total_timeout_s=1,
        rates=default or rates(),
        tier_rates=tiers,
    )


def a_model(*routes: Route) -> ModelRoutes:
    return ModelRoutes(
        name="m",
        owned_by="o",
        created=0,
        tokenizer="bytes",
        hidden_reasoning=False,
        image_tokens_most=1,
        context_tokens=None,
        routes=routes,
    )


def a_chat(**fields: object) -> ChatRequest:
    return body.typed({"model": "m", "messages": [{"role": "user", "content": "Hello"}], **fields}, ChatRequest)


TIERED = a_route(flex=rates(factor=0), priority=rates(factor=2))


# --- which routes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", [None, "", "default", "auto", "flex", "priority"])
def test_tiers_that_have_a_price_are_served(tier: str | None) -> None:
    assert pricing.priced(a_model(TIERED), a_chat(service_tier=tier)) == (TIERED,)


def test_a_tier_without_a_price_is_refused_and_says_which_have_one() -> None:
    refused = pricing.priced(a_model(TIERED), a_chat(service_tier="scale"))
    assert isinstance(refused, Unpriced)
    assert refused.param == "service_tier"
    assert "'scale'" in refused.message
    assert "default, flex, priority" in refused.message


def test_routes_without_a_price_for_it_are_left_out() -> None:
    plain = a_route()
    assert pricing.priced(a_model(plain, TIERED), a_chat(service_tier="flex")) == (TIERED,)
    assert pricing.priced(a_model(plain, TIERED), a_chat()) == (plain, TIERED)


@pytest.mark.parametrize(
    ("route", "tier", "priced"),
    [
        pytest.param(a_route(), None, False, id="no price"),
        pytest.param(a_route(rates(search_nano=0)), None, True, id="free"),
        pytest.param(a_route(rates(search_nano=5)), None, True, id="a price"),
        pytest.param(a_route(rates(search_nano=5), flex=rates()), "flex", False, id="no price in the tier"),
        pytest.param(a_route(rates(), flex=rates(search_nano=5)), "flex", False, id="none where the tier falls back"),
        pytest.param(a_route(rates(search_nano=5), flex=rates()), "auto", False, id="none in one that may serve it"),
        pytest.param(a_route(rates(search_nano=5), flex=rates()), None, True, id="another tier does not matter"),
    ],
)
def test_a_web_search_needs_a_price_wherever_it_may_be_served(route: Route, tier: str | None, priced: bool) -> None:
    found = pricing.priced(a_model(route), a_chat(web_search_options={}, service_tier=tier))
    assert isinstance(found, tuple) is priced
    assert priced or found.param == "web_search_options"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"modalities": ["text", "audio"]}, id="asked for"),
        pytest.param({"audio": {"voice": "alloy", "format": "wav"}}, id="described"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA"}}]}]},
            id="sent",
        ),
    ],
)
def test_audio_has_no_price(fields: dict[str, object]) -> None:
    refused = pricing.priced(a_model(TIERED), a_chat(**fields))
    assert isinstance(refused, Unpriced)
    assert refused.param == "modalities"


def test_text_alone_may_be_asked_for_by_name() -> None:
    assert pricing.priced(a_model(TIERED), a_chat(modalities=["text"])) == (TIERED,)


# --- how much ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "held"),
    [
        pytest.param(None, 10 * 1_000 + 2 * 5_000, id="none: as by default"),
        pytest.param("default", 10 * 1_000 + 2 * 5_000, id="default"),
        pytest.param("flex", 10 * 1_000 + 2 * 5_000, id="a cheaper one may fall back"),
        pytest.param("priority", 10 * 2_000 + 2 * 10_000, id="a dearer one"),
        pytest.param("auto", 10 * 2_000 + 2 * 10_000, id="auto: the dearest"),
    ],
)
def test_the_hold_is_enough_for_every_tier_that_may_serve_it(tier: str | None, held: int) -> None:
    chat = a_chat(service_tier=tier)
    assert pricing.hold_nano(TIERED, chat, input_tokens=10, output_tokens=2) == held
    dearest = 10_000 if tier in ("priority", "auto") else 5_000
    assert pricing.extension_nano(TIERED, chat, output_tokens=3) == 3 * dearest


@pytest.mark.parametrize(
    ("asked", "served", "cost"),
    [
        pytest.param("priority", "priority", 14_000, id="as asked"),
        pytest.param("priority", "default", 7_000, id="fell back"),
        pytest.param("priority", "", 14_000, id="unsaid: as asked"),
        pytest.param("priority", "unheard-of", 14_000, id="unknown: as asked"),
        pytest.param("auto", "priority", 14_000, id="auto, served dearer"),
        pytest.param("auto", "", 7_000, id="auto, unsaid"),
        pytest.param(None, "default", 7_000, id="not asked"),
        pytest.param(None, "flex", 0, id="served cheaper"),
    ],
)
def test_it_is_charged_in_the_tier_that_served_it(asked: str | None, served: str, cost: int) -> None:
    tokens = Tokens(input=2, output=1)
    assert pricing.cost_nano(TIERED, a_chat(service_tier=asked), tokens, served_tier=served) == cost


def test_fees_of_a_request_and_of_a_search_are_held_and_charged() -> None:
    route = a_route(rates(request_nano=11, search_nano=100))
    searching, plain = a_chat(web_search_options={}), a_chat()
    assert pricing.hold_nano(route, searching, input_tokens=1, output_tokens=0) == 1_000 + 111
    assert pricing.hold_nano(route, plain, input_tokens=1, output_tokens=0) == 1_000 + 11
    assert pricing.cost_nano(route, searching, Tokens(input=1), served_tier="") == 1_000 + 111
    assert pricing.cost_nano(route, plain, Tokens(input=1), served_tier="") == 1_000 + 11


@given(
    st.sampled_from([None, "", "default", "auto", "flex", "priority"]),
    st.sampled_from(["", "default", "flex", "priority"]),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
def test_no_request_costs_more_than_its_hold_in_a_tier_that_it_may_get(
    asked: str | None, served: str, input_tokens: int, held_tokens: int, more_tokens: int
) -> None:
    may_get = {"auto": {"", "default", "flex", "priority"}}.get(asked or "", {"", "default", asked or ""})
    if served not in may_get:
        return
    chat = a_chat(service_tier=asked)
    hold = pricing.hold_nano(TIERED, chat, input_tokens=input_tokens, output_tokens=held_tokens)
    extended = hold + pricing.extension_nano(TIERED, chat, output_tokens=more_tokens)
    tokens = Tokens(input=input_tokens, output=held_tokens + more_tokens)
    assert pricing.cost_nano(TIERED, chat, tokens, served_tier=served) <= extended


# --- what the upstream is told -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "asked", "sent"),
    [
        pytest.param(TIERED, None, "default", id="several prices, none named"),
        pytest.param(TIERED, "", "default", id="several prices, empty"),
        pytest.param(TIERED, "flex", "flex", id="named"),
        pytest.param(TIERED, "auto", "auto", id="left to the upstream"),
        pytest.param(a_route(), None, None, id="one price"),
        pytest.param(a_route(), "auto", "auto", id="one price, auto"),
    ],
)
def test_what_it_will_cost_does_not_depend_on_settings_at_the_provider(
    route: Route, asked: str | None, sent: str | None
) -> None:
    assert pricing.tier_sent(route, a_chat(service_tier=asked)) == sent
