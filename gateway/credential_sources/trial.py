"""The test call: whether a provider accepts a secret, before requests depend on it."""

from dataclasses import dataclass

import structlog
import urllib3
from urllib3.exceptions import HTTPError

from gateway.models.credentials import ProviderCredential

WITHIN = urllib3.Timeout(connect=5, read=10)

Outcome = ProviderCredential.Outcome

log = structlog.get_logger("gateway.credentials")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a provider says of a secret, and how: a status, or why there was none."""

    outcome: Outcome
    answered: str


def ask(*, base_url: str, credential: str) -> Verdict:
    """Calls `GET <base_url>/models` with the secret: costs nothing, and every provider of OpenAI's protocol checks it.

    Redirects are not followed, because the secret is for this address only.
    """
    headers = {"Authorization": f"Bearer {credential}", "User-Agent": "portcullis"}
    try:
        with urllib3.PoolManager(retries=False, timeout=WITHIN) as pool:
            answer = pool.request(
                "GET", f"{base_url.rstrip('/')}/models", headers=headers, redirect=False, preload_content=False
            )
            answer.close()
    except (HTTPError, ValueError) as error:
        log.info("a provider did not answer a test", error=type(error).__name__)
        return Verdict(Outcome.UNKNOWN, "no answer")
    return Verdict(_outcome_of(answer.status), f"status {answer.status}")


def _outcome_of(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.GOOD
    return Outcome.BAD if status in (401, 403) else Outcome.UNKNOWN
