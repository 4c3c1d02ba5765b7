"""What people upload as a dictionary: text with an entry a line, or CSV whose first column has them."""

import codecs
import csv
from collections.abc import Callable, Iterator
from itertools import islice

Progress = Callable[[int], None]
"""Told how many bytes are read."""

MOST_BYTES = 256 * 1024 * 1024
_CHUNK = 1 << 20
LINE_MOST = 1000


class NotAList(ValueError):
    """What is wrong with a file, for whoever uploaded it."""


def entries_in(data: bytes, *, is_csv: bool, progress: Progress = lambda _: None) -> Iterator[str]:
    """The entries of a file, as they stand in it.

    Raises:
        NotAList: it is no UTF-8, holds what no text does, or a line has no end.
    """
    if (at := data.find(0)) >= 0:
        raise NotAList(
            f"The file is no text at byte {at:,}. Save a table as CSV, with the entries in its first column."
        )
    lines = _lines(data, progress)
    try:
        yield from (_first_column(lines) if is_csv else lines)
    except UnicodeDecodeError as error:
        raise NotAList(f"The file is no UTF-8 at byte {error.start:,}. Save it as UTF-8.") from error
    except csv.Error as error:
        raise NotAList(f"The file is no CSV: {error}.") from error


def _lines(data: bytes, progress: Progress) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    rest = ""
    for at in range(0, len(data), _CHUNK):
        chunk = data[at : at + _CHUNK]
        lines = (rest + decoder.decode(chunk, final=at + _CHUNK >= len(data))).split("\n")
        rest = lines.pop()
        if len(rest) > LINE_MOST:
            raise NotAList(f"A line has more than {LINE_MOST:,} characters. Write one entry a line.")
        yield from (line.rstrip("\r") for line in lines)
        progress(at + len(chunk))
    if rest:
        yield rest


def _first_column(lines: Iterator[str]) -> Iterator[str]:
    """Separated by commas or semicolons, whichever the first lines have more of."""
    first = list(islice(lines, 20))
    text = "\n".join(first)
    separator = ";" if text.count(";") > text.count(",") else ","
    for row in csv.reader(_again(first, lines), delimiter=separator):
        if row:
            yield row[0]


def _again(first: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from (line + "\n" for line in first)
    yield from (line + "\n" for line in rest)
