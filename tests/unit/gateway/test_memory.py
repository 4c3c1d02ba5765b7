"""A long-lived process gives back what it has read once."""

import subprocess
import sys

import pytest

from gateway.memory import forget_pages

SCRIPT = """
from pathlib import Path
from gateway import memory, tokens

def resident(name):
    mapping, total = "", 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            mapping = line
        elif line.startswith("Rss:") and name in mapping:
            total += int(line.split()[1])
    return total

def count():
    return tokens.count_tokens("The ferry leaves the harbor before the fog lifts.", "o200k_base")

kept = []
memory_forget, tokens.forget_pages = tokens.forget_pages, lambda library: kept.append(resident("/bpe."))
before = count()
memory_forget("bpe.")
print(kept[0], resident("/bpe."), before, count())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no way to ask for it")
def test_a_loaded_vocabulary_is_given_back_and_still_works() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    before_kib, after_kib, first, second = map(int, run.stdout.split())
    assert before_kib - after_kib > 20_000
    assert first == second > 5


def test_a_library_that_is_not_there_is_no_error() -> None:
    forget_pages("no-such-library")
