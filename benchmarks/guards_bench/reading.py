"""Reads labelled data, in either of two formats; which one a file has its content says.

* a list of `{text, spans: [[type, start, end]]}`: documents with what they hold of persons;
* `{attacks: {source: [prompt]}, benign: {source: [prompt]}}`: prompts by whether they attack.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Span(NamedTuple):
    type: str
    start: int
    end: int


class Document(NamedTuple):
    text: str
    spans: list[Span]


class Data(NamedTuple):
    """`documents`: by file. `attacks`, `benign`: prompts by source."""

    documents: dict[str, list[Document]]
    attacks: dict[str, list[str]]
    benign: dict[str, list[str]]


def read(paths: list[Path]) -> Data:
    """All files, and all `*.json` of folders. Ends the program where one cannot be read."""
    data = Data({}, {}, {})
    for path in _files(paths):
        try:
            _add(data, path.stem, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            sys.exit(f"{path} is not in a format of the benchmark: {error!r}")
    return data


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.glob("*.json")) if path.is_dir() else [path]


def _add(data: Data, name: str, content: Any) -> None:
    if isinstance(content, list):
        data.documents[name] = [
            Document(each["text"], [Span(kind, start, end) for kind, start, end in each["spans"]]) for each in content
        ]
        return
    for source, prompts in content["attacks"].items():
        data.attacks.setdefault(source, []).extend(map(str, prompts))
    for source, prompts in content["benign"].items():
        data.benign.setdefault(source, []).extend(map(str, prompts))
