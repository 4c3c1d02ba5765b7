"""Ids in templates are for machines: with a separator of thousands nobody finds the row of the 1,000th."""

import re
from pathlib import Path

import pytest
from django.conf import settings

_ID = re.compile(r"\{\{\s*[\w.]+\.(?:pk|id)\b[^}]*\}\}")


def localized(template: str) -> list[str]:
    return [each for each in _ID.findall(template) if "|unlocalize" not in each]


@pytest.mark.parametrize("path", sorted(Path(settings.BASE_DIR, "templates").rglob("*.*")), ids=lambda path: path.name)
def test_ids_have_no_separators(path: Path) -> None:
    assert localized(path.read_text()) == []


def test_it_finds_them() -> None:
    assert localized('<input value="{{ key.pk }}">{{ key.id|default:"" }}{{ key.pk|unlocalize }}') == [
        "{{ key.pk }}",
        '{{ key.id|default:"" }}',
    ]
