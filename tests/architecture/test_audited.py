"""Every action puts on record what it does, or says why it needs not (`audited.py`)."""

import inspect
from types import FunctionType

import pytest
from django.apps import apps

from compliance import audit, rows
from compliance.actions import tallies
from tests.architecture.audited import EVENTS, NONE
from tests.architecture.reach import actions, reached, texts_in

ACTIONS = dict(actions())
WRITERS = {inspect.unwrap(one) for one in (audit.record, tallies.count)}
IMPLIED = {inspect.unwrap(rows.create): "created", inspect.unwrap(rows.change): "changed", rows.delete: "deleted"}
MODELS = {str(model._meta.model_name) for model in apps.get_models()}


def test_each_action_is_listed_once() -> None:
    assert sorted(set(ACTIONS) - set(EVENTS) - set(NONE)) == [], "list these in tests/architecture/audited.py"
    assert sorted((set(EVENTS) | set(NONE)) - set(ACTIONS)) == [], "these are gone"
    assert set(EVENTS).isdisjoint(NONE)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_what_it_says_it_writes_it_can_write(name: str) -> None:
    found = reached(_action(name))
    assert found & WRITERS, f"{name} never writes an audit event"
    texts = texts_in(found)
    verbs = {verb for writer, verb in IMPLIED.items() if inspect.unwrap(writer) in found}
    for event in EVENTS[name].split():
        assert _is_told(event, texts, verbs), f"{name} cannot write {event}"


@pytest.mark.parametrize("name", sorted(NONE))
def test_what_needs_no_event_has_a_reason(name: str) -> None:
    assert name in ACTIONS
    assert NONE[name].endswith(".")


def test_it_finds_an_action_that_writes_none() -> None:
    """That the search can fail."""

    def silent() -> None:
        apps.get_models()

    assert isinstance(silent, FunctionType)
    assert not reached(silent) & WRITERS
    assert not _is_told("tenant.renamed", {"tenant.", "suspended"}, {"changed"})


def _action(name: str) -> FunctionType:
    if name not in ACTIONS:
        pytest.fail(f"{name} is gone: take it out of tests/architecture/audited.py")
    return ACTIONS[name]


def _is_told(event: str, texts: set[str], verbs: set[str]) -> bool:
    """Whether the event's name is in the code: as a whole, or its noun and its verb each."""
    noun, _, verb = event.partition(".")
    has_noun = noun == "*" or noun in MODELS or any(text.startswith(f"{noun}.") for text in texts)
    has_verb = verb in ("", "*") or verb in verbs or verb in texts or any(text.endswith(f".{verb}") for text in texts)
    return event in texts or (has_noun and has_verb) or (verb.startswith("*") and has_noun)
