"""Takes alerts to their recipients.

Each delivery is a row before anything is sent. A run leases those that are due, sends without a transaction, and writes
what came of it; the lease of a run that died ends, and another takes over. So everything arrives at least once, a
webhook under the same id each time.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from smtplib import SMTPException

import orjson
import structlog
from django.conf import settings
from django.core.mail import get_connection
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from billing import alert_mails, alert_words, webhook_secrets, webhooks
from billing.actions import webhooks as endpoints
from billing.models import AlertDelivery, WebhookEndpoint
from compliance import posting
from compliance.contracts import Actor
from compliance.errors import DecryptionFailed
from compliance.posting import Answer

BY = Actor(kind="task", id="deliver_alerts")
MOST = 24
AT_ONCE = 8
"""Posts under way in one run: three rounds of the longest attempt end well within the lease."""
LEASE = timedelta(seconds=90)
GIVEN_UP_AFTER = timedelta(days=3)
"""An endpoint to which nothing got through for so long, and a message of which was given up, is disabled."""

random = SystemRandom()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Post:
    """A webhook message, ready to be sent."""

    url: str
    body: bytes
    message_id: str
    keys: Sequence[str]


def deliver(*, at: datetime | None = None) -> int:
    """Tries what is due, one run at a time; returns how many were delivered."""
    began = timezone.now()
    at = at or began
    due = {delivery.pk: delivery for delivery in _lease(at)}
    mails = [each for each in due.values() if each.channel == AlertDelivery.Channel.EMAIL]
    answers = {**_send_mails(mails), **_send_posts(due.values(), at)}
    ended = at + (timezone.now() - began)  # waits begin when an attempt has failed, which may take a while
    for pk, answer in answers.items():
        _conclude(due[pk], answer, at=ended)
    return sum(answer.is_success for answer in answers.values())


@transaction.atomic
def _lease(at: datetime) -> list[AlertDelivery]:
    """Takes what is due. While another run has leases this one has nothing to do: a dead endpoint must not occupy each
    worker in turn. Two runs that begin at the same instant share the work."""
    pending = AlertDelivery.objects.filter(status=AlertDelivery.Status.PENDING)
    if pending.filter(leased_until__gt=at).exists():
        return []
    reachable = Q(channel=AlertDelivery.Channel.EMAIL) | Q(endpoint__state=WebhookEndpoint.State.ACTIVE)
    due = pending.filter(reachable, next_attempt_at__lte=at).order_by("next_attempt_at", "id")
    taken = list(due.select_for_update(skip_locked=True, of=("self",))[:MOST])
    for delivery in taken:
        delivery.leased_until = at + LEASE
        delivery.attempts += 1
    AlertDelivery.objects.bulk_update(taken, ["leased_until", "attempts"])
    related = AlertDelivery.objects.select_related("alert__tenant", "alert__rule", "endpoint")
    return list(related.filter(pk__in=[delivery.pk for delivery in taken]).order_by("id"))


def _send_mails(due: Collection[AlertDelivery]) -> dict[int, Answer]:
    """One mail for each address, whatever it has to say."""
    by_address = defaultdict(list)
    for delivery in due:
        by_address[delivery.target].append(delivery)
    answers = {}
    connection = get_connection()
    for address, together in by_address.items():
        answer = _send_mail(alert_mails.compose(address, [each.alert for each in together], connection=connection))
        answers.update({delivery.pk: answer for delivery in together})
    return answers


def _send_mail(mail: alert_mails.Mail) -> Answer:
    try:
        mail.send()
    except (SMTPException, OSError) as error:
        return Answer(error=f"the mail server refused: {type(error).__name__}")
    return Answer(status=250)


def _send_posts(due: Collection[AlertDelivery], at: datetime) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}
    ready: dict[int, Post] = {}
    for delivery in due:
        if delivery.endpoint is not None:  # else it was deleted this very moment, and the delivery given up with it
            try:
                ready[delivery.pk] = _post(delivery, delivery.endpoint, at)
            except DecryptionFailed:
                answers[delivery.pk] = Answer(error="the endpoint's secret cannot be opened: its root key is missing")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers.update(zip(ready, pool.map(_call, ready.values()), strict=True))
    return answers


def _post(delivery: AlertDelivery, endpoint: WebhookEndpoint, at: datetime) -> Post:
    body = orjson.dumps(alert_words.payload(delivery.alert))
    keys = webhook_secrets.secrets_of(endpoint, at=at)
    return Post(url=endpoint.url, body=body, message_id=delivery.message_id, keys=keys)


def _call(post: Post) -> Answer:
    """In a thread of its own, and without the database."""
    now = int(timezone.now().timestamp())
    headers = webhooks.headers(post.body, message_id=post.message_id, timestamp=now, keys=post.keys)
    return posting.post(post.url, post.body, headers, inside=settings.WEBHOOKS_INSIDE)


@transaction.atomic
def _conclude(delivery: AlertDelivery, answer: Answer, *, at: datetime) -> None:
    """Writes what came of an attempt, unless the lease was lost and another attempt has begun."""
    wait = webhooks.wait_after(delivery.attempts, random=random, retry_after_s=_retry_after(answer))
    is_over = answer.is_success or wait is None or answer.status == webhooks.GONE
    status = AlertDelivery.Status.DELIVERED if answer.is_success else AlertDelivery.Status.FAILED
    own = AlertDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, status=AlertDelivery.Status.PENDING)
    written = own.update(
        status=status if is_over else AlertDelivery.Status.PENDING,
        leased_until=None,
        next_attempt_at=at + (wait or timedelta()),
        response_code=answer.status,
        error=answer.error,
        finished_at=at if is_over else None,
    )
    if written and delivery.endpoint is not None:
        _heed(delivery.endpoint, answer, is_over=is_over, at=at)


def _retry_after(answer: Answer) -> int:
    return answer.retry_after_s if answer.status in webhooks.BUSY else 0


def _heed(endpoint: WebhookEndpoint, answer: Answer, *, is_over: bool, at: datetime) -> None:
    """Keeps since when an endpoint has been failing, and disables one that is gone."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    if answer.is_success:
        rows.exclude(failing_since=None).update(failing_since=None)
        return
    rows.filter(failing_since=None).update(failing_since=at)
    since = rows.values_list("failing_since", flat=True).first() or at
    if answer.status == webhooks.GONE:
        endpoints.disable(endpoint=endpoint, because="it answered 410 Gone", by=BY)
    elif is_over and at - since >= GIVEN_UP_AFTER:
        endpoints.disable(endpoint=endpoint, because=f"nothing got through since {since:%Y-%m-%d %H:%M} UTC", by=BY)
