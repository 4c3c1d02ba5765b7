"""What is stored of a conversation is what went on: never what guards took out of it."""

import json
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from compliance.models import ContentDecision
from gateway.guarded_content import GuardRedactor, for_storing
from gateway.guards import registry
from gateway.guards.base import Action, Direction, Guarding, Terms
from tests.factories.compliance import a_consent, a_content_policy, a_subject
from tests.factories.guards import a_guard_pattern, a_guard_policy, a_guard_rule, shows_the_card
from tests.integration.data.conversations import asked, the_content, the_decision
from tests.integration.data.world import Story, World, there

MAIL = "ada@example.com"
CARD = "4111 1111 1111 1111"
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def storing(world: World, action: Action, direction: Direction | str = "both", **fields: Any) -> None:
    """The tenant stores what ada says, and does that about personal data."""
    a_content_policy(world.tenant, **fields)
    a_consent(a_subject(world.tenant, "ada"))
    a_guard_policy(world.tenant, rules=(a_guard_rule("personal_data", action, direction=direction),))


def message(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


@WAYS
def test_what_was_redacted_is_not_stored(story: Story, stream: bool) -> None:
    async def tell(world: World) -> None:
        await there(storing, world, Action.REDACT)
        client = await asked(world, stream=stream, **message(f"Write to {MAIL}"), sandbox={"text": f"To {CARD}, then"})
        stored = await there(the_content, client)
        assert stored["request"]["messages"][0]["content"] == "Write to [EMAIL]"
        assert stored["answer"]["choices"][0]["message"]["content"] == "To [CARD], then"
        assert MAIL not in json.dumps(stored)

    story(tell)


def test_of_an_answer_that_was_blocked_nothing_is_stored(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(storing, world, Action.BLOCK, Direction.ANSWER)
        client = await asked(world, **message("Hello"), sandbox={"text": f"To {CARD}"})
        stored = await there(the_content, client)
        assert (stored["answer"], client.status) == (None, 400)

    story(tell)


def test_an_answer_that_was_blocked_takes_no_room(story: Story, settings: Settings) -> None:
    """What is too large is not stored; but none of it would be."""
    settings.MAX_CONTENT_BYTES = 6_000  # between once and twice the text

    async def tell(world: World) -> None:
        await there(storing, world, Action.BLOCK, Direction.ANSWER)
        client = await asked(world, **message("Hello"), sandbox={"text": f"To {CARD}{' and so on' * 400}"})
        assert (await there(the_decision, client), client.status) == ((True, ""), 400)

    story(tell)


def test_of_a_stream_that_was_blocked_what_went_out_is_stored(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(storing, world, Action.BLOCK, Direction.ANSWER)
        text = f"{'All is well. ' * 30}To {CARD} and so on"
        client = await asked(world, stream=True, **message("Hello"), sandbox={"text": text})
        (choice,) = (await there(the_content, client))["answer"]["choices"]
        assert choice["message"]["content"] == f"{'All is well. ' * 30}To "

    story(tell)


def test_of_a_prompt_that_was_blocked_nothing_is_stored(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(storing, world, Action.BLOCK)
        client = await asked(world, **message(MAIL))
        assert client.status == 400
        assert not await there(ContentDecision.objects.filter(request_id=client.request_id).exists)

    story(tell)


@WAYS
def test_where_only_redacted_content_may_be_stored_what_is_only_noted_is_redacted_too(
    story: Story, stream: bool
) -> None:
    async def tell(world: World) -> None:
        await there(storing, world, Action.LOG, redaction="required")
        client = await asked(world, stream=stream, **message(f"Write to {MAIL}"), sandbox={"text": f"To {CARD}"})
        stored = await there(the_content, client)
        assert stored["request"]["messages"][0]["content"] == "Write to [EMAIL]"
        assert stored["answer"]["choices"][0]["message"]["content"] == "To [CARD]"
        assert MAIL not in json.dumps(stored)
        assert not shows_the_card(json.dumps(stored))

    story(tell)


def test_a_tenants_own_patterns_redact_what_is_stored(story: Story) -> None:
    async def tell(world: World) -> None:
        await there(a_content_policy, world.tenant, redaction="required")
        await there(lambda: a_consent(a_subject(world.tenant, "ada")))
        await there(a_guard_pattern, world.tenant, name="EMPLOYEE", expression=r"EMP-\d{5}")
        await there(a_guard_policy, world.tenant, rules=(a_guard_rule("patterns", Action.FLAG),))
        client = await asked(world, **message("Ask EMP-12345"))
        stored = await there(the_content, client)
        assert stored["request"]["messages"][0]["content"] == "Ask [EMPLOYEE]"

    story(tell)


def test_personal_data_and_secrets_are_redacted_whatever_policy_says_of_them() -> None:
    names = [terms.guard for terms in for_storing(None).terms]
    assert names == ["personal_data", "secrets"]
    narrow = Terms(guard="secrets", action=Action.LOG, rules=frozenset({"jwt"}), threshold=1.0)
    found = for_storing(Guarding(policy_id=1, terms=(narrow, Terms(guard="patterns", action=Action.BLOCK))))
    assert {terms.guard: terms.rules for terms in found.terms} == {
        "personal_data": frozenset(),
        "secrets": frozenset(),
        "patterns": frozenset(),
    }
    assert {terms.action for terms in found.terms} == {Action.REDACT}


def test_what_cannot_be_redacted_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    guarding = Guarding(policy_id=1, terms=(), budget_ms=0)
    content = json.dumps({"request": message(MAIL), "answer": None}).encode()
    assert registry.guards()
    with pytest.raises(ValueError, match="a guard failed"):
        GuardRedactor().redacted(content, guarding)
