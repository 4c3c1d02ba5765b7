"""What the suite itself takes for a transaction that was left open."""

from tests.open_transactions import LOOKS, LongTransactions

ROW = (7, "2026-11-22 08:08:26+00", "a database", "portcullis tests", "idle in transaction", "SELECT 1")


def test_what_each_look_finds_open_is_told_once_with_where_threads_are() -> None:
    watch = LongTransactions()
    for _ in range(LOOKS - 1):
        watch.look([ROW])
    assert watch.take() == []
    watch.look([ROW])
    (told,) = watch.take()
    assert "SELECT 1" in told
    assert "test_open_transactions.py" in told
    watch.look([ROW])
    assert watch.take() == []


def test_what_is_old_but_was_seen_once_is_not_told_as_the_machine_may_have_stood_still() -> None:
    watch = LongTransactions()
    watch.look([ROW])
    watch.look([])
    assert watch.take() == []


def test_one_transaction_after_the_other_in_a_session_is_not_one_that_is_open() -> None:
    watch = LongTransactions()
    for number in range(LOOKS + 1):
        watch.look([(7, f"2026-11-22 08:08:{number:02}+00", *ROW[2:])])
    assert watch.take() == []


def test_what_an_application_leaves_open_by_design_can_be_left_out() -> None:
    watch = LongTransactions()
    for _ in range(LOOKS):
        watch.look([ROW])
    assert watch.take(but_of="portcullis tests") == []
