"""Secrets: how many of those made are found, by kind, and what is taken for one among near-misses and prompts."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from benchmarks.guards_bench.intervals import Share
from benchmarks.guards_bench.reading import Data
from benchmarks.guards_bench.secrets_data import Sample, near_misses, secrets
from gateway.guards.base import Action, Direction, Finding, Guarding, Role, Terms
from gateway.guards.engine import Engine

Find = Callable[[str], list[Finding]]


def report(data: Data) -> None:
    """Prints the tables. What is made is made anew from the same seeds."""
    find = _finder()
    _kinds("secrets, made: found [95 %]", secrets(seed=101), find)
    _kinds("near-misses of secrets, made: taken for one [95 %]", near_misses(seed=102), find)
    for source, prompts in data.benign.items():
        found = Counter(finding.rule for prompt in prompts for finding in find(prompt)[:1])
        print(f"{source:20} {Share(found.total(), len(prompts))!s:40} {dict(found) or ''}")
    _speed(find)


def _finder() -> Find:
    engine = Engine(Guarding(policy_id=0, terms=(Terms(guard="secrets", action=Action.LOG),)))
    engine.prepare()
    return lambda text: engine.findings(text, role=Role.USER, direction=Direction.PROMPT)


def _kinds(title: str, samples: Iterable[Sample], find: Find) -> None:
    print(f"\n── {title}")
    hits: dict[str, list[bool]] = defaultdict(list)
    for sample in samples:
        found = find(sample.text)
        spans = sample.spans or [(0, len(sample.text))]
        hits[sample.kind].append(any(one.start < end and one.end > start for one in found for start, end in spans))
    for kind, each in sorted(hits.items()):
        print(f"{kind:20} {Share(sum(each), len(each))}")
    together = [hit for each in hits.values() for hit in each]
    print(f"{'all':20} {Share(sum(together), len(together))}")


def _speed(find: Find) -> None:
    text = "\n".join(sample.text for sample in near_misses(seed=103, each=20))
    began = time.process_time()
    find(text)
    print(f"{'near-misses alone':20} {(time.process_time() - began) * 1e6 / (len(text) / 1000):,.0f} µs per kB")
