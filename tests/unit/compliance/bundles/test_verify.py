import ast
import subprocess
from pathlib import Path
from typing import Any

import pytest

from compliance.bundles import verify
from compliance.bundles.source import Sealed
from tests.unit.compliance.bundles.made import (
    KEY,
    ORIGIN,
    PYTHON,
    STRANGER,
    Log,
    a_log,
    an_event,
    bundle,
    checked,
    joined,
    lines,
    members,
    note,
    public_of,
    redacted,
    resigned,
    rezipped,
    verifier_key,
)

PROGRAM = Path(verify.__file__)
PART = {"action": "budget.changed"}


def is_budget(event: Sealed) -> bool:
    return bool(event.fields["action"] == "budget.changed")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 21])
def test_a_whole_log_is_right(tmp_path: Path, size: int) -> None:
    report = checked(bundle(tmp_path / "b.zip", a_log(size)))
    assert report.problems == []
    assert report.facts[2] == f"Bundle: {size:,} events, the whole log"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 21])
def test_a_part_of_a_log_is_right(tmp_path: Path, size: int) -> None:
    path = bundle(tmp_path / "b.zip", a_log(size), filters=PART, chosen=is_budget, earlier=range(1, size + 1))
    assert checked(path).problems == []


def test_an_empty_part_is_right(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.zip", a_log(5), filters=PART, chosen=lambda event: False)
    assert checked(path).problems == []


def test_a_folder_is_as_good_as_its_zip_file(tmp_path: Path) -> None:
    path, folder = bundle(tmp_path / "b.zip", a_log()), tmp_path / "unpacked"
    for name, data in members(path).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    assert checked(folder).problems == []
    (folder / "events.csv").write_bytes(b"")
    assert checked(folder).count


def test_redacted_fields_are_told_and_prove_the_same(tmp_path: Path) -> None:
    log = a_log()
    log.events[4] = redacted(log.events[4], "target_id", "actor_id")
    log.events[6] = redacted(log.events[6], "after.name", "occurred_at", "action")
    report = checked(bundle(tmp_path / "b.zip", log))
    assert report.problems == []
    assert "Redacted: 2 events" in report.facts[-1]


def test_events_without_salts_are_of_the_first_version(tmp_path: Path) -> None:
    log = Log([an_event(0, version=1, after={"ratio": 0.5}), an_event(1)])
    assert checked(bundle(tmp_path / "b.zip", log)).problems == []


def test_guarded_cells_are_what_the_log_says(tmp_path: Path) -> None:
    log = Log([an_event(0, reason="'a;=1\t'b\n\n=2;x", after={"name": "n;=3;'x"}, user_agent="(X11;=1+1;x)")])
    path = bundle(tmp_path / "b.zip", log)
    assert b";'=1" in members(path)["events.csv"]
    assert checked(path).problems == []


def test_what_was_pruned_is_told(tmp_path: Path) -> None:
    report = checked(bundle(tmp_path / "b.zip", a_log(pruned_to=9)))
    assert report.problems == []
    assert "9 events" in report.facts[3]


# --- what somebody could do who has the signing key --------------------------------------------------------------


def altered_leaves(tmp_path: Path, change: Any) -> verify.Report:
    files = members(bundle(tmp_path / "b.zip", a_log()))
    rows = lines(files, "leaves.jsonl")
    rows = change(rows) or rows
    forged = resigned({**files, "leaves.jsonl": joined(rows)})
    return checked(rezipped(forged, tmp_path / "forged.zip"))


def test_an_altered_event_is_named_by_its_index(tmp_path: Path) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[6]["fields"]["actor_id"] = "4"

    report = altered_leaves(tmp_path, change)
    assert report.problems[0] == "The event at index 6 was altered: what it says is not what the log was given."


def test_an_altered_event_with_a_leaf_to_match_breaks_the_root(tmp_path: Path) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[6]["fields"]["actor_id"] = "4"
        rows[6]["leaf"] = verify.leaf_of(rows[6]).hex()

    assert any("do not give the root" in each for each in altered_leaves(tmp_path, change).problems)


def test_a_missing_event_is_named(tmp_path: Path) -> None:
    report = altered_leaves(tmp_path, lambda rows: rows[:5] + rows[6:])
    assert any("The event at index 5 is missing" in each for each in report.problems)


def test_a_log_cut_short_is_named(tmp_path: Path) -> None:
    report = altered_leaves(tmp_path, lambda rows: rows[:-2])
    assert any("those from index 19 on are missing" in each for each in report.problems)


def test_events_in_another_order_are_refused(tmp_path: Path) -> None:
    files = members(bundle(tmp_path / "b.zip", a_log(), filters=PART, chosen=is_budget))
    rows = lines(files, "leaves.jsonl")
    forged = resigned({**files, "leaves.jsonl": joined([rows[0], rows[2], rows[1], *rows[3:]])})
    report = checked(rezipped(forged, tmp_path / "forged.zip"))
    assert any("not in the order of the log" in each for each in report.problems)


def test_an_event_too_many_is_refused(tmp_path: Path) -> None:
    report = altered_leaves(tmp_path, lambda rows: [*rows, {**rows[-1], "index": 21}])
    assert any("too many" in each for each in report.problems)


def test_a_part_without_one_of_its_proofs_names_the_event(tmp_path: Path) -> None:
    files = members(bundle(tmp_path / "b.zip", a_log(), filters=PART, chosen=is_budget))
    rows = lines(files, "proofs/inclusion.jsonl")
    rows[2]["hashes"][0] = "00" * 32
    forged = resigned({**files, "proofs/inclusion.jsonl": joined(rows)})
    report = checked(rezipped(forged, tmp_path / "forged.zip"))
    assert report.problems == ["The event at index 6 is not proven to be in the log: its proof leads to another root."]


@pytest.mark.parametrize("name", ["events.jsonl", "events.csv", "events.cef"])
def test_a_format_that_tells_something_else_is_found(tmp_path: Path, name: str) -> None:
    log = a_log()
    other = Log([*log.events[:3], an_event(3, target_id="66"), *log.events[4:]])
    files = members(bundle(tmp_path / "b.zip", log))
    strange = members(bundle(tmp_path / "other.zip", other))
    forged = resigned({**files, name: strange[name]})
    report = checked(rezipped(forged, tmp_path / "forged.zip"))
    assert report.problems[0].startswith(f"{name}: the event at index 3: ")


@pytest.mark.parametrize("name", ["events.jsonl", "events.csv", "events.cef"])
def test_a_format_with_an_event_more_is_found(tmp_path: Path, name: str) -> None:
    files = members(bundle(tmp_path / "b.zip", a_log()))
    last = files[name].splitlines(keepends=True)[-1]
    forged = resigned({**files, name: files[name] + last})
    report = checked(rezipped(forged, tmp_path / "forged.zip"))
    assert report.problems == [f"{name}: it holds more than the events."]


def test_a_file_that_nobody_listed_is_found(tmp_path: Path) -> None:
    files = members(bundle(tmp_path / "b.zip", a_log()))
    report = checked(rezipped({**files, "notes.txt": b"hello"}, tmp_path / "forged.zip"))
    assert "notes.txt" in report.problems[0]


def test_another_key_is_not_taken(tmp_path: Path) -> None:
    report = checked(bundle(tmp_path / "b.zip", a_log(), key=STRANGER))
    assert "not among those that you trust" in report.problems[0]
    assert any("none of the keys that you trust" in each for each in report.problems)


def test_without_a_key_the_bundle_vouches_for_itself_only(tmp_path: Path) -> None:
    report = checked(bundle(tmp_path / "b.zip", a_log(), key=STRANGER), keys=[])
    assert report.problems == []
    assert report.warnings


# --- earlier checkpoints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [None, PART], ids=["whole", "part"])
def test_a_log_that_only_grew_agrees_with_earlier_checkpoints(tmp_path: Path, part: dict[str, str] | None) -> None:
    log, earlier = a_log(), tmp_path / "earlier"
    earlier.write_text("\n".join(note(log.hashes[:size]) for size in (1, 4, 13, 21)))
    path = bundle(tmp_path / "b.zip", log, filters=part, earlier=(1, 4, 13))
    report = checked(path, earlier=[earlier])
    assert (report.problems, report.unchecked) == ([], [])


@pytest.mark.parametrize("part", [None, PART], ids=["whole", "part"])
def test_a_log_that_was_rewritten_does_not(tmp_path: Path, part: dict[str, str] | None) -> None:
    log, earlier = a_log(), tmp_path / "kept.txt"
    earlier.write_text(note(a_log().hashes[:13]))
    report = checked(bundle(tmp_path / "b.zip", log, filters=part, earlier=(13,)), earlier=[earlier])
    assert "kept.txt: the log was rewritten: its first 13 events were others" in report.problems[0]


def test_a_log_that_was_cut_off_does_not(tmp_path: Path) -> None:
    log, earlier = a_log(21), tmp_path / "kept.txt"
    earlier.write_text(note(log.hashes))
    report = checked(bundle(tmp_path / "b.zip", Log(log.events[:9])), earlier=[earlier])
    assert "the log was cut off" in report.problems[0]


def test_a_checkpoint_for_which_there_is_no_proof_is_said_to_be_unchecked(tmp_path: Path) -> None:
    log, earlier = a_log(), tmp_path / "kept.txt"
    earlier.write_text(note(log.hashes[:12]))
    report = checked(bundle(tmp_path / "b.zip", log, filters=PART, earlier=(13,)), earlier=[earlier])
    assert report.problems == []
    assert "Ask for an export of the whole log" in report.unchecked[0]


def test_a_checkpoint_that_nobody_signed_counts_nothing(tmp_path: Path) -> None:
    log, earlier = a_log(), tmp_path / "kept.txt"
    earlier.write_text(note(log.hashes[:12], key=STRANGER))
    assert checked(bundle(tmp_path / "b.zip", log), earlier=[earlier]).count


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
def test_a_checkpoint_without_a_readable_signature_is_not_dropped(tmp_path: Path, place: int) -> None:
    log, earlier = a_log(), tmp_path / "kept.txt"
    notes = [note(log.hashes[:size]) for size in (3, 12, 13)]
    notes[place] = notes[place].replace("\u2014", "-")
    earlier.write_text("\n".join(notes))
    assert checked(bundle(tmp_path / "b.zip", log), earlier=[earlier]).count


# --- as a program ------------------------------------------------------------------------------------------------


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, in a Python that sees nothing of the project: -I leaves out its folder and the environment."""
    return subprocess.run([PYTHON, "-I", *arguments], capture_output=True, text=True, cwd="/", check=False)


def test_it_runs_alone_and_says_by_its_exit_code_what_it_found(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.zip", a_log())
    program = tmp_path / "elsewhere" / "verify.py"
    program.parent.mkdir()
    program.write_bytes(members(path)["verify.py"])
    right = run(str(program), str(path), "--key", verifier_key(KEY))
    assert (right.returncode, right.stderr) == (verify.RIGHT, "")
    assert right.stdout.splitlines()[-1] == "All is right."
    assert f"Log: {ORIGIN}" in right.stdout
    assert run(str(program), str(path), "--key", public_of(KEY).hex()).returncode == verify.RIGHT
    assert run(str(program), str(path)).returncode == verify.UNVOUCHED
    assert run(str(program), str(path), "--key", verifier_key(STRANGER)).returncode == verify.WRONG
    assert run(str(program), str(path), "--key", "nonsense").returncode == verify.UNCHECKED
    assert run(str(program), str(tmp_path / "none.zip")).returncode == verify.UNCHECKED
    (tmp_path / "keys").write_text("\n")
    assert run(str(program), str(path), "--key", str(tmp_path / "keys")).returncode == verify.UNCHECKED
    (tmp_path / "keys").write_text(verifier_key(STRANGER) + "\n" + verifier_key(KEY) + "\n")
    assert run(str(program), str(path), "--key", str(tmp_path / "keys")).returncode == verify.RIGHT


def test_it_imports_nothing_but_the_standard_library_and_cryptography() -> None:
    program = (
        "import sys, runpy; runpy.run_path(sys.argv[1], run_name='verify');"
        "print(*sorted({n.split('.')[0] for n in sys.modules} - set(sys.stdlib_module_names)))"
    )
    found = run("-c", program, str(PROGRAM))
    assert found.returncode == 0, found.stderr
    assert not {"compliance", "django", "orjson", "config", "accounts"} & set(found.stdout.split())
    assert "cryptography" in found.stdout


def test_it_is_written_for_python_3_9() -> None:
    tree = ast.parse(PROGRAM.read_text(), feature_version=(3, 9))
    strict = [each for each in ast.walk(tree) if isinstance(each, ast.keyword) and each.arg == "strict"]
    assert len(strict) == 1  # csv.DictReader's; zip's is younger
