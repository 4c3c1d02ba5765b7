"""How the content of a transcript is bound to its place, and opened again. Pure.

The plaintext is JSON: `{"request": …, "answer": {"choices": […]}}`, as the application sent it and got it; `answer` is
null where nothing came back.
"""

from typing import Any

import msgspec

from compliance.envelope import Place, open_record
from compliance.models import Transcript

RECORD_TYPE = "transcript"


def place_of(*, tenant_id: int, surrogate: str, request_id: str, purpose: str) -> Place:
    """Where the content of that request belongs; it opens nowhere else."""
    return Place(tenant_id, surrogate, RECORD_TYPE, request_id, purpose)


def opened(transcript: Transcript, *, key: bytes) -> dict[str, Any]:
    """The content of a transcript, under the key of its person.

    Raises:
        DecryptionFailed: it is not theirs, was altered, or was moved here from elsewhere.
    """
    place = place_of(
        tenant_id=transcript.tenant_id,
        surrogate=transcript.surrogate,
        request_id=str(transcript.id),
        purpose=transcript.purpose,
    )
    content: dict[str, Any] = msgspec.json.decode(open_record(bytes(transcript.sealed), key=key, place=place))
    return content
