"""Tables as files."""

from collections.abc import Callable, Iterator

from billing.exports import csv_text, xlsx_file
from billing.exports.table import Table
from compliance.exports.download import Download
from compliance.exports.download import download as sent

WRITERS: dict[str, tuple[Callable[[Table], Iterator[bytes]], str]] = {
    "csv": (csv_text.chunks, csv_text.CONTENT_TYPE),
    "xlsx": (xlsx_file.chunks, xlsx_file.CONTENT_TYPE),
}


def download(table: Table, *, form: str) -> Download:
    """The table as a file; `form` is a key of WRITERS."""
    chunks, content_type = WRITERS[form]
    return sent(chunks(table), name=f"{table.name}.{form}", content_type=content_type)
