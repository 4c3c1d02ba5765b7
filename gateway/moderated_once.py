"""Asks a moderation model about one text, from the control plane: for trials. Nothing of either is kept."""

from collections.abc import Sequence

import msgspec
import structlog
import urllib3
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as OutOfTime

from gateway import compile, routing
from gateway.guards.moderation import Asking, ModerationFailed, Result, Results, pieces, together
from gateway.providers import openai

ANSWER_MOST_BYTES = 2**20

_read = msgspec.json.Decoder(Results).decode
_encode = msgspec.json.Encoder().encode

log = structlog.get_logger("gateway.moderation")


def ask(text: str, asked: Asking) -> Result:
    """What the model says of the text.

    Raises:
        ModerationFailed: nobody serves the model, or there is no answer.
    """
    route = routing.serving(compile.route_table().value, asked.model, provider=asked.provider)
    if route is None:
        raise ModerationFailed("unconfigured")
    inputs = list(pieces(text))
    try:
        results = _answer(route, inputs, within_s=asked.timeout_s)
    except OutOfTime as error:
        raise ModerationFailed("timeout") from error
    except (HTTPError, ValueError) as error:
        log.info("a moderation model did not answer a trial", error=type(error).__name__)
        raise ModerationFailed("unavailable") from error
    return together(results)


def _answer(route: routing.Route, inputs: Sequence[str], *, within_s: float) -> Sequence[Result]:
    """Redirects are not followed, because the credential is for this address only.

    Raises:
        HTTPError: there is no answer.
        ValueError: it cannot be read.
    """
    body = _encode({"model": route.upstream_model, "input": inputs})
    limits = urllib3.Timeout(total=within_s)
    with urllib3.PoolManager(retries=False, timeout=limits) as pool:
        url, headers = openai.moderations_url(route), openai.headers(route)
        answer = pool.request("POST", url, body=body, headers=headers, redirect=False, preload_content=False)
        try:
            said = answer.read(ANSWER_MOST_BYTES)
        finally:
            answer.close()
    if answer.status != 200:
        raise ValueError(f"status {answer.status}")
    results = _read(said).results
    if len(results) != len(inputs):
        raise ValueError("another number of results than of texts")
    return results
