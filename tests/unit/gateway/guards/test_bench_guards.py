"""The benchmark of the guards counts right: what is found, what is wrong, and how sure that is."""

import json
from pathlib import Path

import pytest

from benchmarks.guards_bench import evasions, made
from benchmarks.guards_bench.identifiers import finder, measured
from benchmarks.guards_bench.intervals import Share
from benchmarks.guards_bench.reading import Document, Span, read
from gateway.guards.base import Finding


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (99, 100, 0.9455, 0.9982), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_those_of_wilson(part: int, whole: int, low: float, high: float) -> None:
    assert list(Share(part, whole).interval()) == pytest.approx([low, high], abs=1e-4)


def test_both_formats_are_read(tmp_path: Path) -> None:
    (tmp_path / "people.json").write_text(
        json.dumps([{"text": "ada@example.com", "spans": [["EMAIL_ADDRESS", 0, 15]]}])
    )
    (tmp_path / "prompts.json").write_text(json.dumps({"attacks": {"a": ["x"]}, "benign": {"b": ["y", "z"]}}))
    data = read([tmp_path])
    assert data.documents == {"people": [Document("ada@example.com", [Span("EMAIL_ADDRESS", 0, 15)])]}
    assert (data.attacks, data.benign) == ({"a": ["x"]}, {"b": ["y", "z"]})


@pytest.mark.parametrize("content", ["", "3", '{"attacks": {}}', '[{"text": "x"}]'])
def test_what_has_no_format_is_refused_by_name(content: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text(content)
    with pytest.raises(SystemExit, match=r"wrong\.json is not in a format"):
        read([tmp_path / "wrong.json"])


def test_found_missed_and_wrong_ones_are_counted_by_type() -> None:
    document = Document("0123456789", [Span("CREDIT_CARD", 0, 4), Span("PHONE_NUMBER", 5, 7), Span("DATE_TIME", 8, 10)])
    findings = [
        Finding("personal_data", "CARD", 3, 6),
        Finding("personal_data", "CARD", 5, 6),
        Finding("personal_data", "DATE_OF_BIRTH", 8, 9),
    ]
    figures = measured([document], lambda text: findings)
    assert (figures["CARD"].recall, figures["CARD"].precision) == (Share(1, 1), Share(1, 2))
    assert figures["PHONE"].recall == Share(0, 1)
    assert figures["DATE_OF_BIRTH"].precision == Share(1, 1)
    assert "DATE_TIME" not in figures


def test_evasions_are_counted_where_values_are_found_in_clear() -> None:
    document = Document("card 4111111111111111 and 4111111111111112", [Span("CARD", 5, 21), Span("CARD", 26, 42)])
    table = evasions.matrix([document], finder())
    assert set(table) == {"CARD"}
    assert set(table["CARD"].values()) == {Share(1, 1)}


def test_made_documents_are_labelled_where_their_values_stand() -> None:
    find = finder()
    figures = measured(made.documents(each=10), find)
    assert {rule: each.recall.value for rule, each in figures.items()} == dict.fromkeys(figures, 1.0)
    assert sum(bool(find(text)) for text in made.near_misses(each=10)) == 0
