"""State changes only through actions, and every action is told who acts."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compliance.contracts import Actor

APPS = ("accounts", "billing", "compliance", "gateway")
ROOT = Path(__file__).resolve().parents[2]

# What changes no governed row, and so has nobody to name: records move, holds end, partitions appear, alerts are raised
# and delivered, people who turn up get keys.
BY_THE_CLOCK = {
    "apply_pending",
    "empty_outbox",
    "move_usage",
    "insert_records",
    "make_partitions",
    "make_transcript_partitions",
    "sweep",
    "tidy",
    "look_at_meters",
    "look_at_spending",
    "deliver",
    "announce",  # what the action of whoever announces it has recorded
    "is_over",
    "note_uses",
    "resolve",  # people whom the gateway sees for the first time
    "expire",
    "sign_receipt",
    "sign_receipts",
    "make_subject_keys",
    "count",  # for the audit log, with who each was by
    "put_on_record",
}

# Where rows are written: the actions and what they are made of, and bulk demo data.
WRITERS = (
    "actions/",
    "compliance/rows.py",
    "compliance/audit.py",
    "config/sessions.py",
    "gateway/demo/",
    "migrations/",
)
WRITES = {"save", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}


def actions() -> Iterator[Any]:
    for app in APPS:
        package = importlib.import_module(f"{app}.actions")
        for module in pkgutil.iter_modules(package.__path__, f"{app}.actions."):
            for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
                if function.__module__ == module.name and not name.startswith("_"):
                    yield pytest.param(function, id=f"{module.name}.{name}")


@pytest.mark.parametrize("action", list(actions()))
def test_an_action_takes_keywords_only_and_is_told_who_acts(action: Any) -> None:
    parameters = inspect.signature(action).parameters
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())
    if action.__name__ not in BY_THE_CLOCK:
        assert parameters["by"].annotation is Actor
        assert parameters["by"].default is inspect.Parameter.empty


def modules_outside_actions() -> Iterator[Any]:
    for app in (*APPS, "config"):
        for path in sorted((ROOT / app).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not any(writer in name for writer in WRITERS):
                yield pytest.param(path, id=name)


@pytest.mark.parametrize("path", list(modules_outside_actions()))
def test_nothing_else_writes_rows(path: Path) -> None:
    calls = (node.func for node in _committing_calls(path))
    written = [
        f"{path.name}:{call.lineno} .{call.attr}()"
        for call in calls
        if isinstance(call, ast.Attribute)
        and (call.attr in WRITES or _on_manager(call, {"create", "update", "delete"}))
    ]
    assert written == []


def _committing_calls(path: Path) -> list[ast.Call]:
    """All calls but such as `form.save(commit=False)`, which only makes a row for an action to write."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call for call in calls if not any(keyword.arg == "commit" for keyword in call.keywords)]


def _on_manager(call: ast.Attribute, verbs: set[str]) -> bool:
    """Whether the call is `….objects…verb()`."""
    return call.attr in verbs and any(
        isinstance(node, ast.Attribute) and node.attr == "objects" for node in ast.walk(call.value)
    )
