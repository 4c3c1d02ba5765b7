"""How long the guards take: `python -m benchmarks.guards_speed [FILE]`.

Prints microseconds for prompts of 2 kB with the policy that holds where there is none, for chunks of streams, and
seconds for a megabyte of texts that are made to be slow. FILE: prompts in the form of `injection_dev.json`; without
one, prompts are made up here. All of it is processor time of this thread, the best of some rounds.
"""

import base64
import json
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from gateway.guards.base import Direction, Guarding, Judged, Role, Text
from gateway.guards.defaults import default_guarding
from gateway.guards.engine import Engine
from gateway.guards.replacing import replacer

SIZE = 2000
PROMPTS = 60
ROUNDS = 5
MEGABYTE = 1_000_000
FINDERS = ("secrets", "personal_data")

_PROSE = """The of and to in is you that it he was for on are as with his they at be this have from or one had by word
but not what all were we when your can said there use an each which she do how their if will up other about out many"""

HOSTILE: dict[str, str] = {
    "letters": "a",
    "digits": "1",
    "digits apart": "1 ",
    "digits and hyphens": "1-",
    "digits in lines": "1\n",
    "cards": "4111111111111111, ",
    "at signs": "a@",
    "addresses": "ada@example.com ",
    "network addresses": "10.0.0.1 ",
    "words for secrets": "password: ",
    "assignments": "key=a1 ",
    "URLs": "a://b:c@",
    "beginnings of keys": "-----BEGIN ",
    "base64": base64.b64encode(b"4111 1111 1111 1111 ada@example.com ").decode(),
    "base64 in itself": "QUFB",
    "hexadecimal": "34313131",
    "hexadecimal apart": "34 31 ",
    "percent": "%34%31",
    "percent twice": "%2534",
    "entities": "&#52;",
    "unicode escapes": "\\u0034",
    "quoted-printable": "=41",
    "zero-width": "4\u200b1",
    "only zero-width": "\u200b",
    "ligatures": "ﬁ",
    "Cyrillic": "а",
    "Chinese": "漢",
    "control characters": "\x00",
    "prose": "The quick brown fox jumps over the lazy dog. ",
}


def main() -> None:
    guarding = default_guarding(key=b"k" * 32)
    finding = Guarding(policy_id=1, terms=tuple(each for each in guarding.terms if each.guard in FINDERS))
    engine, finders = Engine(guarding), Engine(finding)
    for each in (engine, finders):
        each.prepare()
    prompts = _read(Path(sys.argv[1])) if len(sys.argv) > 1 else _made()
    _print("prompt of 2 kB, default policy", (_best(_look, engine, text) for text in prompts))
    _print("the same, finders alone", (_best(_look, finders, text) for text in prompts))
    for size in (1, 4, 20):
        _print(f"chunk of {size}", (_best(_stream, engine, text, size) * size / SIZE for text in prompts[:20]))
    hostile = [(_filled(text), direction) for text in HOSTILE.values() for direction in Direction]
    slowest = max(_seconds(_look, engine, *each) for each in hostile)
    print(f"1 MB made to be slow, default policy: done or given up after {slowest:.2f} s at most")
    patient = Engine(_patient(finding))
    for direction in Direction:
        for name, text in HOSTILE.items():
            took = _seconds(_look, patient, _filled(text), direction)
            print(f"1 MB of {name:22} as {direction.value}: {took:6.2f} s")


def _patient(guarding: Guarding) -> Guarding:
    """So that what is measured is how long it takes, not when it is given up."""
    return Guarding(policy_id=0, terms=guarding.terms, key=guarding.key, budget_ms=120_000)


def _look(engine: Engine, text: str, direction: Direction = Direction.PROMPT) -> None:
    """As the gateway has it done: at a glance first."""
    texts = [Text(text, Role.USER, "messages[0].content")]
    request = {"messages": [{"role": "user", "content": text}]}
    if not engine.is_quiet(Judged(texts=texts, direction=direction, request=request)):
        engine.look(texts, direction, replace=replacer(engine.guarding), request=request)


def _stream(engine: Engine, text: str, size: int) -> None:
    stream = engine.stream(role=Role.ASSISTANT, place="choices[0]", replace=replacer(engine.guarding))
    for at in range(0, len(text), size):
        stream.feed(text[at : at + size])
    stream.finish()


def _seconds(work: Callable[..., None], *of: object) -> float:
    began = time.thread_time()
    work(*of)
    return time.thread_time() - began


def _best(work: Callable[..., None], *of: object) -> float:
    return min(_seconds(work, *of) for _ in range(ROUNDS))


def _print(what: str, seconds: Iterable[float]) -> None:
    each = sorted(1e6 * took for took in seconds)
    middle, late = each[len(each) // 2], each[int(len(each) * 0.9)]
    print(f"{what:32} median {middle:6.0f} µs   90 % {late:6.0f} µs   most {each[-1]:6.0f} µs")


def _filled(text: str) -> str:
    return (text * (MEGABYTE // len(text) + 1))[:MEGABYTE]


def _made() -> list[str]:
    chance = random.Random(1)
    return [" ".join(chance.choices(_PROSE.split(), k=SIZE // 4))[:SIZE] for _ in range(PROMPTS)]


def _read(path: Path) -> list[str]:
    """Prompts of `SIZE` out of what is benign in the file."""
    chance = random.Random(1)
    benign = [prompt for source in json.loads(path.read_text())["benign"].values() for prompt in source]
    return ["\n".join(chance.choices(benign, k=200))[:SIZE] for _ in range(PROMPTS)]


if __name__ == "__main__":
    main()
