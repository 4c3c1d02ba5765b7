"""The tree is what `docs/architecture.md` says it is."""

import ast
from pathlib import Path

from gateway import pipeline

ROOT = Path(__file__).resolve().parents[2]

DATA_PLANE = ("*.py", "http/**/*.py", "stages/**/*.py", "providers/**/*.py", "wire/**/*.py")
ORM = (
    "django.db",
    "gateway.models",
    "gateway.actions",
    "gateway.selectors",
    "billing.models",
    "billing.actions",
    "billing.selectors",
    "accounts.models",
    "accounts.actions",
    "compliance.actions",
    "compliance.models",
    "compliance.rows",
)
ALLOWED = {
    "bridge.py": "runs units of the ORM off the event loop, and closes their connections",
    "compile.py": "reads policy into a snapshot, in the bridge",
    "credentials.py": "opens what providers are called with, while policy is compiled",
    "placeholder_rows.py": "keeps what placeholders stand for and finds it again, in the bridge",
    "dictionaries.py": "opens the words of tenants, while policy is compiled",
    "guard_gaps.py": "serves the admin and the API",
    "guard_overview.py": "serves the admin",
    "guard_rows.py": "finds the guard policy of a key, while policy is compiled",
    "guard_terms.py": "turns rows of guard policies into values, while policy is compiled",
    "guard_trials.py": "serves the admin",
    "plane.py": "names the actions that run in the bridge",
    "privacy.py": "says where people appear, for the register of stores",
    "selectors.py": "serves the admin",
    "snapshot.py": "a constant of gateway.models.policy",
    "subject_keys.py": "reads and makes the keys of end users, in the bridge",
    "subject_rows.py": "looks up and enrols end users, in the bridge",
    "tasks.py": "a door of the control plane",
    "http/probes.py": "asks the connections themselves whether they live and are migrated",
}
"""What of the data plane knows the ORM, and what for."""


def test_the_stages_run_in_the_order_that_the_design_names() -> None:
    order = [stage.__module__.rpartition(".")[2] for stage in pipeline.STAGES]
    asked = ["validate", "identify", "guard", "route", "admit", "moderate", "call"]
    assert order == [*asked, "conform", "inspect", "moderate", "restore"]


def test_the_data_plane_holds_no_orm() -> None:
    used = {(name, module) for name, module in _data_plane() if module.startswith(ORM)}
    assert {name for name, _ in used} - ALLOWED.keys() == set()


def test_who_is_allowed_the_orm_needs_it() -> None:
    users = {name for name, module in _data_plane() if module.startswith(ORM)}
    assert ALLOWED.keys() - users == set()


def test_the_control_plane_is_without_asyncio() -> None:
    control = [path for app in ("accounts", "billing", "compliance") for path in (ROOT / app).rglob("*.py")]
    assert [str(path) for path in control if any(name.startswith("asyncio") for name in _imports(path))] == []


def _data_plane() -> list[tuple[str, str]]:
    """Each file that serves requests, with each module that it imports."""
    base = ROOT / "gateway"
    files = {path for pattern in DATA_PLANE for path in base.glob(pattern)}
    return [(path.relative_to(base).as_posix(), module) for path in sorted(files) for module in _imports(path)]


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names
