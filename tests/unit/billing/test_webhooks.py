"""Messages that the official library verifies, and the schedule of the specification."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from billing import webhooks

BODY = json.dumps({"type": "alert.test", "data": {"label": "Straße"}}).encode()


def signed(*keys: str, body: bytes = BODY, at: datetime | None = None) -> dict[str, str]:
    timestamp = int((at or datetime.now(UTC)).timestamp())
    return webhooks.headers(body, message_id="msg_1", timestamp=timestamp, keys=keys)


def test_it_works() -> None:
    secret = webhooks.new_secret()
    assert Webhook(secret).verify(BODY, signed(secret)) == json.loads(BODY)


def test_secrets_are_what_the_specification_wants() -> None:
    secrets = {webhooks.new_secret() for _ in range(20)}
    assert len(secrets) == 20
    assert all(secret.startswith("whsec_") for secret in secrets)
    assert webhooks.SECRET_BYTES >= 24


def test_while_a_secret_is_replaced_both_verify() -> None:
    old, new = webhooks.new_secret(), webhooks.new_secret()
    headers = signed(new, old)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"webhook-id": "msg_2"}, id="another id"),
        pytest.param({"webhook-timestamp": str(int(datetime.now(UTC).timestamp()) - 60)}, id="another time"),
    ],
)
def test_what_is_signed_cannot_be_changed(change: dict[str, str]) -> None:
    secret = webhooks.new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, {**signed(secret), **change})


def test_another_body_or_secret_does_not_verify() -> None:
    secret = webhooks.new_secret()
    for receiver, body in ((Webhook(secret), BODY + b" "), (Webhook(webhooks.new_secret()), BODY)):
        with pytest.raises(WebhookVerificationError):
            receiver.verify(body, signed(secret))


def test_an_old_message_cannot_be_replayed() -> None:
    secret = webhooks.new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, signed(secret, at=datetime.now(UTC) - timedelta(minutes=6)))


def test_the_schedule_is_that_of_the_specification() -> None:
    waits = [webhooks.wait_after(attempts, random=Random(1)) for attempts in range(1, 11)]
    least = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert waits[-1] is None
    for wait, seconds in zip(waits[:-1], least, strict=True):
        assert wait is not None
        assert timedelta(seconds=seconds) <= wait < timedelta(seconds=seconds * 1.1)


def test_what_failed_together_comes_back_apart() -> None:
    assert len({webhooks.wait_after(2, random=Random(seed)) for seed in range(50)}) > 25


@pytest.mark.parametrize(
    ("asked_s", "least_s", "most_s"),
    [
        pytest.param(1, 5, 5.5, id="sooner than the schedule"),
        pytest.param(900, 900, 900, id="later than the schedule"),
        pytest.param(10**8, 86_400, 86_400, id="after years"),
    ],
)
def test_a_receiver_may_ask_for_more_time(asked_s: int, least_s: float, most_s: float) -> None:
    wait = webhooks.wait_after(1, random=Random(1), retry_after_s=asked_s)
    assert wait is not None
    assert timedelta(seconds=least_s) <= wait <= timedelta(seconds=most_s)
