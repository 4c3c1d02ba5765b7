"""`make bench-guards DATA=…`: recall, precision and false positives by type and source, evasions, and time per kB."""

import argparse
import time
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks.guards_bench import evasions, made
from benchmarks.guards_bench.identifiers import Figures, Find, finder, measured
from benchmarks.guards_bench.intervals import Share
from benchmarks.guards_bench.reading import Data, read

_OTHERS = ("secrets", "injection")
"""Further parts: modules beside this one with `report(data)`, which print their own tables."""


def main() -> None:
    arguments = _arguments()
    data = read(arguments.data)
    find = finder()
    for name, documents in data.documents.items():
        _table(f"personal data in {name}", measured(documents, find))
    _table("personal data, made", measured(made.documents(arguments.seed), find))
    _wrong("near-misses, made", {"near-misses": made.near_misses(arguments.seed)}, find)
    if data.benign:
        _wrong("personal data in benign prompts", data.benign, find)
    _evasions(arguments.seed, data, find)
    _times(data, find)
    for name in _OTHERS:
        if find_spec(f"benchmarks.guards_bench.{name}"):
            import_module(f"benchmarks.guards_bench.{name}").report(data)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.guards_bench", description="Measures what the guards find.")
    parser.add_argument("data", type=Path, nargs="*", help="files or folders; without any, made data alone")
    parser.add_argument("--seed", type=int, default=1, help="of the data that is made (default: %(default)s)")
    return parser.parse_args()


def _table(title: str, figures: dict[str, Figures]) -> None:
    print(f"\n── {title}\n{'':20} {'recall [95 %]':40} precision [95 %]")
    for rule, each in figures.items():
        print(f"{rule:20} {each.recall!s:40} {each.precision}")


def _wrong(title: str, prompts: dict[str, list[str]], find: Find) -> None:
    """Texts in which something is found though there is nothing, and what."""
    print(f"\n── {title}: texts with findings [95 %]")
    for source, texts in prompts.items():
        found = [{one.rule for one in find(text)} for text in texts]
        rules = Counter(rule for each in found for rule in each)
        print(f"{source:20} {Share(sum(map(bool, found)), len(texts))!s:40} {dict(rules) or ''}")


def _evasions(seed: int, data: Data, find: Find) -> None:
    documents = [*(document for each in data.documents.values() for document in each), *made.documents(seed, each=40)]
    table = evasions.matrix(documents, find)
    print("\n── evasions: of what is found in clear, found evaded where it stands")
    print(" " * 34 + "".join(f"{rule:>12}" for rule in table))
    for name in evasions.EVASIONS:
        print(f"{name:34}" + "".join(f"{table[rule][name].value:12.1%}" for rule in table))
    shares = [share for row in table.values() for share in row.values()]
    print(f"{'all':34}{Share(sum(share.part for share in shares), sum(share.whole for share in shares))}")


def _times(data: Data, find: Find) -> None:
    print("\n── time (processor, one core)")
    sources = {name: [document.text for document in documents] for name, documents in data.documents.items()}
    sources |= {"benign": [text for texts in data.benign.values() for text in texts]} if data.benign else {}
    sources["made"] = [document.text for document in made.documents()]
    for name, texts in sources.items():
        prompts = ["\n".join(texts)[at : at + 2000] for at in range(0, min(sum(map(len, texts)), 400_000), 2000)]
        find(prompts[0])
        start = time.process_time()
        for prompt in prompts:
            find(prompt)
        spent = time.process_time() - start
        print(f"{name:20} {spent / sum(map(len, prompts)) * 1e9:8.1f} µs per kB, in prompts of 2 kB")


if __name__ == "__main__":
    main()
