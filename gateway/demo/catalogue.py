"""Asks an upstream which models it has."""

import asyncio

import aiohttp
import msgspec

WITHIN = aiohttp.ClientTimeout(total=5)
MOST_BYTES = 4 * 2**20


class _Entry(msgspec.Struct):
    id: str


class _Listing(msgspec.Struct):
    data: list[_Entry]


class CannotBeAsked(Exception):
    """The upstream did not say which models it has; the message says why."""


def models(*, base_url: str, credential: str) -> list[str]:
    """The names that `GET <base_url>/models` lists, in its order.

    Raises:
        CannotBeAsked: no answer within 5 s, or none that is a list of models.
    """
    try:
        answer = asyncio.run(_get(f"{base_url}/models", credential))
        return [entry.id for entry in msgspec.json.decode(answer, type=_Listing).data]
    except TimeoutError as error:
        raise CannotBeAsked("no answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise CannotBeAsked(str(error) or type(error).__name__) from error


async def _get(url: str, credential: str) -> bytes:
    """What is there. Redirects are not followed, because the credential is for this address only."""
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    async with (
        aiohttp.ClientSession(timeout=WITHIN) as session,
        session.get(url, headers=headers, allow_redirects=False) as response,
    ):
        if response.status != 200:
            raise CannotBeAsked(f"status {response.status}")
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > MOST_BYTES:
                raise CannotBeAsked("a list too long to be one of models")
        return bytes(body)
