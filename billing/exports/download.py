"""A file that is sent while it is made, by a server of either kind."""

from collections.abc import AsyncIterator, Callable, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from billing.exports import csv_text, xlsx_file
from billing.exports.table import Table

WRITERS: dict[str, tuple[Callable[[Table], Iterator[bytes]], str]] = {
    "csv": (csv_text.chunks, csv_text.CONTENT_TYPE),
    "xlsx": (xlsx_file.chunks, xlsx_file.CONTENT_TYPE),
}


class Download(StreamingHttpResponse):
    """Takes the next piece when the last one is sent. Django itself would collect all of them first, under ASGI."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: Iterator[bytes] = iter(self.streaming_content)  # type: ignore[arg-type]
        while (piece := await sync_to_async(_next)(pieces)) is not None:
            yield piece


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


def download(table: Table, *, form: str) -> Download:
    """The table as a file; `form` is a key of WRITERS."""
    chunks, content_type = WRITERS[form]
    response = Download(chunks(table), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{table.name}.{form}"'
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
