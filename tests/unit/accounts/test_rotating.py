"""When secrets are replaced, and when that is told."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.rotating import next_rotation, notice_due

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def days(number: float) -> timedelta:
    return timedelta(days=number)


@pytest.mark.parametrize(
    ("age", "policy", "planned", "expected"),
    [
        pytest.param(0, 90, None, 90, id="a new secret"),
        pytest.param(80, 90, None, 14, id="an old one that nobody planned yet gets its whole notice"),
        pytest.param(500, 90, None, 14, id="however old"),
        pytest.param(500, 90, 3, 3, id="what is planned is not put off"),
        pytest.param(500, 90, -1, -1, id="what is due stays due"),
        pytest.param(10, 90, 80, 80, id="what is as planned"),
        pytest.param(10, 30, 80, 20, id="a stricter policy brings it forward"),
        pytest.param(28, 30, 62, 14, id="but not without notice"),
        pytest.param(10, 365, 80, 355, id="a laxer one puts it off"),
        pytest.param(10, 0, 80, None, id="a policy without rotation"),
    ],
)
def test_when_a_secret_is_due(age: int, policy: int, planned: int | None, expected: int | None) -> None:
    due = next_rotation(
        since=NOW - days(age), days=policy, planned=None if planned is None else NOW + days(planned), at=NOW
    )
    assert due == (None if expected is None else NOW + days(expected))


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (15, None),
        (14.01, None),
        (14, 14),
        (8, 14),
        (7, 7),
        (1.5, 7),
        (1, 1),
        (0.01, 1),
        (0, None),
        (-1, None),
    ],
)
def test_which_notice_is_due(left: float, expected: int | None) -> None:
    assert notice_due(NOW + days(left), at=NOW) == expected
