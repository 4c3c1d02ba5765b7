"""The guards that there are, by name, in the order in which they are shown. Each is a module of this folder."""

from importlib import import_module

from gateway.guards.base import Guard

NAMES = (
    "abuse",
    "canaries",
    "secrets",
    "personal_data",
    "names",
    "dictionaries",
    "patterns",
    "injection",
    "links",
    "markup",
    "word_list",
    "output_format",
    "moderation",
)

_GUARDS: dict[str, Guard] = {}


def guards() -> dict[str, Guard]:
    """All of them."""
    if not _GUARDS:
        _GUARDS.update({guard.name: guard for guard in _all()})
    return _GUARDS


def _all() -> list[Guard]:
    """Imported when they are first asked for: they import this folder's vocabulary."""
    return [import_module(f"gateway.guards.{name}").GUARD for name in NAMES]
