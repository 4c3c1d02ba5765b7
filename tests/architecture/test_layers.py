"""The tree is what `docs/architecture.md` says it is."""

import ast
from pathlib import Path

from gateway import pipeline

ROOT = Path(__file__).resolve().parents[2]


def test_the_stages_run_in_the_order_that_the_design_names() -> None:
    order = [stage.__module__.rpartition(".")[2] for stage in pipeline.STAGES]
    assert order == ["validate", "route", "admit", "call"]


def test_the_data_plane_holds_no_orm_outside_compile_and_credentials() -> None:
    allowed = {"compile.py", "credentials.py", "selectors.py", "apps.py", "snapshot.py", "refusals.py"}
    offenders = [
        path.name
        for path in (ROOT / "gateway").glob("*.py")
        if path.name not in allowed and _imports(path) & {"gateway.models", "billing.models", "accounts.models"}
    ]
    assert offenders == []


def test_the_control_plane_is_without_asyncio() -> None:
    control = [path for app in ("accounts", "billing", "compliance") for path in (ROOT / app).rglob("*.py")]
    assert [str(path) for path in control if "asyncio" in _imports(path)] == []


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names
