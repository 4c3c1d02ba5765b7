"""The guard for names is there only where its model is, and says so; with it, it judges every text."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gateway.guards import names
from gateway.guards.base import Action, Direction, Guarding, Judged, Role, Terms, Text
from gateway.guards.engine import Engine
from gateway.guards.names import GUARD, NotInstalled, TooLong, judge
from gateway.guards.replacing import replacer
from gateway.guards.settings import WrongSetting, checked

TEXT = Text("Ada lives in London", Role.USER, "messages[0].content")
SETTINGS = {"model": "a_model", "entities": ["PERSON"]}


def judged(*texts: Text, **settings: object) -> Judged:
    return Judged(texts=texts, direction=Direction.PROMPT, settings=settings)


@pytest.fixture
def presidio(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Presidio as it is called, without a model: it finds `Ada`. What it was asked."""
    asked: list[dict[str, Any]] = []

    class Analyzer:
        def analyze(self, **question: Any) -> list[SimpleNamespace]:
            asked.append(question)
            return [SimpleNamespace(entity_type="PERSON", start=0, end=3, score=0.85)]

    monkeypatch.setattr(names, "analyzer_of", lambda language, model: Analyzer())
    return asked


def test_without_presidio_it_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_spec", lambda name: None)
    with pytest.raises(WrongSetting, match=r"pip install 'portcullis\[presidio\]'"):
        checked(GUARD, {"model": "en_core_web_sm"})


def test_without_its_model_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_spec", lambda name: object() if name == "presidio_analyzer" else None)
    with pytest.raises(WrongSetting, match="spacy download en_core_web_sm"):
        checked(GUARD, {"model": "en_core_web_sm"})


@pytest.mark.parametrize("model", ["", "../model", "os.path"])
def test_a_model_is_a_package_that_is_named(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", ModuleType("presidio_analyzer"))
    monkeypatch.setattr(names, "find_spec", lambda name: object())
    with pytest.raises(NotInstalled):
        names.check_model(model)


def test_it_finds_in_every_text(presidio: list[dict[str, Any]]) -> None:
    found = judge(judged(TEXT, Text("Ada again", Role.SYSTEM, "messages[1].content"), **SETTINGS))
    assert [(each.rule, each.start, each.end, each.place) for each in found] == [
        ("PERSON", 0, 3, "messages[0].content"),
        ("PERSON", 0, 3, "messages[1].content"),
    ]
    assert presidio[0] == {"text": TEXT.text, "language": "en", "entities": ["PERSON"]}


def test_a_text_that_is_too_long_fails(presidio: list[dict[str, Any]]) -> None:
    with pytest.raises(TooLong):
        judge(judged(Text("x" * 20_001, Role.USER, "a"), **SETTINGS))


def test_a_guard_that_cannot_work_blocks() -> None:
    guarding = Guarding(policy_id=1, terms=(Terms(guard="names", action=Action.LOG),), key=b"k" * 32)
    engine = Engine(guarding, known={"names": GUARD})
    verdict = engine.look([TEXT], Direction.PROMPT, replace=replacer(guarding))
    assert verdict.blocked_by == "names"
    assert [each.error for each in verdict.outcomes] == ["raised"]


def test_it_cannot_redact() -> None:
    assert Action.REDACT not in GUARD.actions
