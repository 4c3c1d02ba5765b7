"""The tables that `billing/README.md` names are those there are."""

import re

from django.apps import apps

from config.env import BASE_DIR

CREATED = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (\w+)", re.MULTILINE)


def test_it_names_every_model() -> None:
    assert named(0) == sorted(model.__name__ for model in apps.get_app_config("billing").get_models())


def test_it_names_every_table_of_the_ledger() -> None:
    files = (BASE_DIR / "billing" / "ledger" / "sql").glob("*.sql")
    assert named(1) == sorted({name for file in files for name in CREATED.findall(file.read_text(encoding="utf-8"))})


def named(part: int) -> list[str]:
    """What stands before, and after, the words on the ledger database; without remarks in parentheses."""
    text = (BASE_DIR / "billing" / "README.md").read_text(encoding="utf-8")
    paragraph = text.partition("**Tables.** ")[2].partition("\n\n")[0]
    plain = re.sub(r"\s*\(.*?\)", "", paragraph, flags=re.DOTALL).replace("\n", " ")
    names = plain.removesuffix("written by SQL functions only.").split(". In the ledger database:")[part]
    return sorted(name.strip() for name in re.split("[,;]", names) if name.strip())
