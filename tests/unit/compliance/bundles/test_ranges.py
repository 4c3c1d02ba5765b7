import pytest

from compliance.bundles.ranges import NotInFile, Range, asked


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-9", Range(0, 9)),
        ("bytes=90-", Range(90, 99)),
        ("bytes=90-500", Range(90, 99)),
        ("bytes=-10", Range(90, 99)),
        ("bytes=-500", Range(0, 99)),
        ("bytes=0-1,5-6", None),
        ("bytes=5-1", None),
        ("bytes=-", None),
        ("items=0-1", None),
        ("", None),
    ],
)
def test_what_is_asked_for(header: str, found: Range | None) -> None:
    assert asked(header, size=100) == found


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_nothing_of_it_is_there(header: str) -> None:
    with pytest.raises(NotInFile):
        asked(header, size=100)
