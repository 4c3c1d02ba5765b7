"""Money never touches a float: not in code, not in a column of either database, not in their functions."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connections, models

ROOT = Path(__file__).resolve().parents[2]
APPS = ("billing", "gateway", "config", "accounts", "compliance")
MONEY = re.compile(r"(_nano$|^nano$|dollar|price|^rates$|cost|amount|money)", re.IGNORECASE)
"""Names of what is money, or is made of it."""

PURE = (
    "billing/money.py",
    "billing/adjusting.py",
    "billing/provider_exports.py",
    "billing/statements.py",
    "billing/verification.py",
    "billing/actions/adjustments.py",
    "billing/actions/reconciliations.py",
)
"""Modules that are about money alone: no float at all."""

SQL_FLOATS = re.compile(r"\b(double\s+precision|float[48]?|real)\b", re.IGNORECASE)


def modules() -> list[Path]:
    return sorted(path for app in APPS for path in (ROOT / app).rglob("*.py") if "/migrations/" not in str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def floats_near_money(source: str) -> list[str]:
    """Each place where money, by its name, is divided truly, made a float, or meets a literal one."""
    return [f"{node.lineno}: {ast.unparse(node)}" for node in _suspects(ast.parse(source)) if _names_money(node)]


def floats(source: str) -> list[str]:
    """Each float literal, call of float and true division whose operands are not Decimals by construction."""
    return [f"{node.lineno}: {ast.unparse(node)}" for node in _suspects(ast.parse(source))]


def _suspects(tree: ast.AST) -> Iterator[ast.expr | ast.AugAssign]:
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Div()) if not _is_decimal(node.left) and not _is_path(node):
                yield node
            case ast.AugAssign(op=ast.Div()):
                yield node
            case ast.Call(func=ast.Name(id="float")):
                yield node
            case ast.BinOp() | ast.Compare() if any(
                isinstance(each, ast.Constant) and isinstance(each.value, float) for each in ast.iter_child_nodes(node)
            ):
                yield node


def _is_decimal(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Decimal"


def _is_path(node: ast.BinOp) -> bool:
    """Whether it joins a path: the right side, or one further left, is text."""
    while isinstance(node.left, ast.BinOp):
        if _is_text(node.right):
            return True
        node = node.left
    return _is_text(node.right) or _is_text(node.left)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _names_money(node: ast.AST) -> bool:
    names = (
        each.id if isinstance(each, ast.Name) else each.attr if isinstance(each, ast.Attribute) else ""
        for each in ast.walk(node)
    )
    return any(MONEY.search(name) for name in names)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_code_makes_a_float_of_money(path: Path) -> None:
    assert floats_near_money(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", PURE)
def test_modules_of_money_have_no_float_at_all(name: str) -> None:
    assert floats((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "total = cost_nano / 2",
        "total = 0.5 * budget.limit_nano",
        "total = float(price)",
        "price.input_nano /= 3",
        "if amount > 0.1: pass",
    ],
    ids=["divided", "times a float", "made a float", "divided in place", "compared"],
)
def test_the_check_finds_what_it_looks_for(source: str) -> None:
    assert floats_near_money(source)
    assert floats(source)


@pytest.mark.parametrize(
    "source",
    [
        "total = cost_nano // 2",
        "share = Decimal(ours_nano) / theirs",
        "path = prices / 'list.json'",
        "half = seconds / 2",
    ],
    ids=["whole numbers", "decimals", "a path", "no money"],
)
def test_the_check_leaves_alone_what_is_right(source: str) -> None:
    assert floats_near_money(source) == []


def test_no_field_of_money_is_a_float() -> None:
    fields = [field for model in apps.get_models() for field in model._meta.fields if model.__module__.startswith(APPS)]
    assert len(fields) > 100
    assert [str(field) for field in fields if isinstance(field, models.FloatField) and MONEY.search(field.name)] == []
    nano = [field for field in fields if field.name.endswith("_nano")]
    assert len(nano) > 10
    assert [str(field) for field in nano if not isinstance(field, models.BigIntegerField)] == []


COLUMNS = """
SELECT table_name || '.' || column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'
"""
FUNCTIONS = """
SELECT proname, prosrc || pg_get_function_arguments(oid) || pg_get_function_result(oid) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""
MEANT_FOR_MONEY = ("meter.used", "meter.held")


def wrong_columns(columns: dict[str, str]) -> list[str]:
    """Columns of money that are no whole numbers."""
    money = {
        name: kind for name, kind in columns.items() if MONEY.search(name.partition(".")[2]) or name in MEANT_FOR_MONEY
    }
    assert money
    return [f"{name} {kind}" for name, kind in money.items() if kind in ("double precision", "real")] + [
        f"{name} {kind}" for name, kind in money.items() if name.endswith("_nano") and kind not in ("bigint", "numeric")
    ]


@pytest.mark.django_db(databases=["default", "ledger", "keys"])
@pytest.mark.parametrize("alias", ["default", "ledger"])
def test_no_column_of_money_is_a_float(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(COLUMNS)
        columns = dict(cursor.fetchall())
        assert wrong_columns(columns) == []
    assert wrong_columns({**columns, "sample.cost_nano": "double precision"})


@pytest.mark.django_db(databases=["default", "ledger", "keys"])
@pytest.mark.parametrize("alias", ["default", "ledger"])
def test_no_function_of_the_database_knows_a_float(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(FUNCTIONS)
        functions = dict(cursor.fetchall())
    assert functions
    assert {name for name, source in functions.items() if SQL_FLOATS.search(source)} == set()
    assert SQL_FLOATS.search("DECLARE share double precision;")


def test_no_sql_file_knows_a_float() -> None:
    files = [path for app in APPS for path in (ROOT / app).rglob("*.sql")]
    assert len(files) > 10
    assert [name_of(path) for path in files if SQL_FLOATS.search(path.read_text(encoding="utf-8"))] == []
