"""Hands out a file of known size, whole or in part, so that a download that was cut off can go on."""

from collections.abc import Callable, Iterator

from django.http import HttpResponse, HttpResponseBase

from compliance.bundles import ranges
from compliance.exports.download import download

Pieces = Callable[[int, int | None], Iterator[bytes]]
"""The bytes from the first to the last asked for; None: to the end."""


def hand_out(pieces: Pieces, *, size: int, sha256: str, name: str, asked: str, if_range: str) -> HttpResponseBase:
    """The answer to a request for a file: 200, 206 or 416. `asked` and `if_range` are the headers of those names.

    Raises whatever `pieces` raises before the first byte.
    """
    tag = f'"{sha256}"'
    try:
        wanted = ranges.asked(asked, size=size) if asked and if_range in ("", tag) else None
    except ranges.NotInFile:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    content = pieces(wanted.first, wanted.last) if wanted else pieces(0, None)
    response = download(content, name=name, content_type="application/zip")
    response["Accept-Ranges"], response["ETag"] = "bytes", tag
    response["Content-Length"] = str(wanted.size if wanted else size)
    if wanted:
        response.status_code = 206
        response["Content-Range"] = f"bytes {wanted.first}-{wanted.last}/{size}"
    return response
