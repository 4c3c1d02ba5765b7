"""What an action reaches: its call graph over the project's own functions, resolved by what names stand for in the
running modules. A function that is only referred to counts as called: it may be handed to whoever calls it.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

APPS = ("accounts", "billing", "compliance", "gateway")


def actions() -> Iterator[tuple[str, FunctionType]]:
    """Every public function in the actions of every app, under `<app>.<module>.<function>`."""
    for app in APPS:
        package = importlib.import_module(f"{app}.actions")
        for module in pkgutil.iter_modules(package.__path__, f"{app}.actions."):
            for name, function in inspect.getmembers(importlib.import_module(module.name)):
                own = getattr(function, "__module__", "") == module.name and not name.startswith("_")
                if own and inspect.isfunction(function):
                    yield f"{app}.{module.name.rpartition('.')[2]}.{name}", function


def reached(function: FunctionType) -> set[FunctionType]:
    """The function, and all of the project's that it may come to call."""
    found: set[FunctionType] = set()
    waiting = [inspect.unwrap(function)]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(_named_in(one))
    return found


def texts_in(functions: set[FunctionType]) -> set[str]:
    """All literal texts in their code, those inside of f-strings too."""
    return {text for function in functions for text in _texts(function)}


@functools.cache
def _tree(function: FunctionType) -> ast.AST:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:  # made by a decorator, as the methods of dataclasses are
        return ast.Module([], [])


@functools.cache
def _texts(function: FunctionType) -> frozenset[str]:
    nodes = ast.walk(_tree(function))
    own = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    named = {value for _, value in _values(function) if isinstance(value, str)}
    return frozenset(own | named)


@functools.cache
def _named_in(function: FunctionType) -> tuple[FunctionType, ...]:
    return tuple(each for _, value in _values(function) for each in _functions_of(value))


def _values(function: FunctionType) -> list[tuple[str, Any]]:
    """What the names and dotted names in a function's code stand for."""
    imported = _imported_inside(function)
    found = []
    for node in ast.walk(_tree(function)):
        dotted = _dotted(node)
        if dotted is None:
            continue
        name, *rest = dotted
        value = imported.get(name, function.__globals__.get(name))
        for attribute in rest:
            value = getattr(value, attribute, None) if isinstance(value, (ModuleType, type)) else None
        if value is not None:
            found.append((".".join(dotted), value))
    return found


def _imported_inside(function: FunctionType) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            for alias in node.names:
                value = getattr(module, alias.name, None)
                if value is None:
                    value = importlib.import_module(f"{node.module}.{alias.name}")
                found[alias.asname or alias.name] = value
    return found


def _dotted(node: ast.AST) -> list[str] | None:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)) is not None:
        return [*before, node.attr]
    return None


def _functions_of(value: Any) -> Iterator[FunctionType]:
    """The project's functions that a value is, or holds."""
    value = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value
    if isinstance(value, functools.partial):
        value = value.func
    if inspect.isfunction(value) and _is_ours(value.__module__):
        yield value
    elif isinstance(value, type) and _is_ours(value.__module__):
        for member in vars(value).values():
            inner = getattr(member, "__func__", getattr(member, "fget", member))
            if inspect.isfunction(inner) and inner.__module__ == value.__module__:
                yield inspect.unwrap(inner)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _functions_of(each)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from _functions_of(each)


def _is_ours(module: str | None) -> bool:
    return (module or "").partition(".")[0] in APPS
