"""`/metrics`: what this process has counted, and how the ledger is, in Prometheus' text format.

For those on this host or a private network, and for those who send METRICS_TOKEN; to all others there is no such path.
Each process answers for itself, under its own `process` label.
"""

import asyncio
import hmac
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from billing import ledger_health
from billing.ledger_health import Health
from config.addresses import is_within, parse
from gateway.batches import Batcher
from gateway.errors import NotFound, WrongMethod
from gateway.http.base import Front
from gateway.metrics import Histogram
from gateway.plane import Plane

KEPT_S = 5.0
READ_WITHIN_S = 2.0
PRIVATE = tuple(
    ip_network(text) for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)

log = structlog.get_logger("gateway.metrics")

_kept: tuple[float, Health | None] = (float("-inf"), None)


async def metrics(request: HttpRequest) -> HttpResponse:
    """All figures, to those who may see them."""
    front: Front = request.front  # type: ignore[attr-defined]
    if not _may_see(request, front):
        raise NotFound(f"Invalid URL ({request.method} {request.path_info}).")
    if request.method != "GET":
        raise WrongMethod("Metrics answer GET only.", allowed=("GET",))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(front.plane, await _health(front.plane)))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_see(request: HttpRequest, front: Front) -> bool:
    sent, token = request.headers.get("Authorization", ""), settings.METRICS_TOKEN
    if token and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        return True
    # Of who comes through a proxy that is not trusted, the address says nothing.
    if not settings.TRUSTED_PROXIES and "X-Forwarded-For" in request.headers:
        return False
    address = parse(front.address)
    return address is not None and is_within(address, PRIVATE)


async def _health(plane: Plane) -> Health | None:
    """How the ledger is, at most `KEPT_S` old; None when it does not say."""
    global _kept
    at, health = _kept
    if time.monotonic() - at > KEPT_S:
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                health = await plane.bridge.run(ledger_health.now)
        except Exception as error:  # whatever it is, the other figures matter most just then
            log.warning("the ledger's health cannot be read", error=type(error).__name__)
            health = None
        _kept = (time.monotonic(), health)
    return health


class Figures(Collector):
    """The figures of one moment."""

    def __init__(self, plane: Plane, health: Health | None) -> None:
        self._plane = plane
        self._health = health
        self._process = str(os.getpid())

    def collect(self) -> Iterable[Metric]:
        yield self._requests()
        yield self._counter("faults", "Requests that failed by a fault of the gateway.", self._plane.metrics.faults)
        yield self._histogram("request_duration_seconds", "Completed requests, whole.", self._plane.metrics.latency)
        yield self._histogram(
            "overhead_seconds", "The gateway's own part of completed requests.", self._plane.metrics.overhead
        )
        yield self._gauge("requests_in_flight", "Requests at once, probes included.", self._plane.in_flight)
        yield self._gauge("streams", "Streams that are being sent.", self._plane.metrics.streams)
        yield self._gauge("snapshot_age_seconds", "Since policy was last confirmed.", self._plane.snapshots.age_s)
        yield self._gauge("resident_memory_bytes", "Memory of the process.", _resident_bytes())
        yield self._backlogs()
        yield from self._batches()
        yield from self._of_content()
        yield from self._of_guards()
        yield self._gauge("ledger_readable", "Whether the ledger's health could be read.", self._health is not None)
        if self._health is not None:
            yield from self._of_ledger(self._health)

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "portcullis_requests", "Requests by how they ended.", labels=("process", "outcome", "code")
        )
        for (outcome, code), count in self._plane.metrics.requests.items():
            family.add_metric((self._process, outcome, code), count)
        return family

    def _backlogs(self) -> Metric:
        family = GaugeMetricFamily(
            "portcullis_ledger_backlog", "What waits for the ledger in this process.", labels=("process", "call")
        )
        for call, batcher in self._batchers():
            family.add_metric((self._process, call), len(batcher))
        return family

    def _batches(self) -> Iterator[Metric]:
        for name, counted, about in (
            ("batches", "batches", "Calls of the ledger."),
            ("items", "items", "What those calls were for: admissions, settlements and so on."),
            ("busy_seconds", "busy_s", "How long those calls took."),
        ):
            family = CounterMetricFamily(f"portcullis_ledger_{name}", about, labels=("process", "call"))
            for call, batcher in self._batchers():
                family.add_metric((self._process, call), getattr(batcher, counted))
            yield family

    def _of_content(self) -> Iterator[Metric]:
        writer = self._plane.transcripts
        family = CounterMetricFamily(
            "portcullis_content_decisions",
            "Requests of tenants that store, by why they were not stored; stored: they were.",
            labels=("process", "reason"),
        )
        for reason, count in writer.decisions.items():
            family.add_metric((self._process, reason or "stored"), count)
        yield family
        yield self._counter("content_decisions_lost", "Decisions that could not be put on record.", writer.lost)
        yield self._gauge("content_queue", "Requests that wait to be stored or decided about.", len(writer))
        yield self._gauge("content_queue_bytes", "What they take.", writer.queued_bytes)
        yield self._gauge("content_lag_seconds", "Since the oldest of them was answered.", writer.lag_s)

    def _of_guards(self) -> Iterator[Metric]:
        metrics, writer = self._plane.metrics, self._plane.decisions
        yield self._labelled(
            "guard_findings",
            "What guards found, by what was done about it.",
            ("guard", "action", "direction"),
            metrics.guard_findings,
        )
        yield self._labelled(
            "guard_failures",
            "Guards that raised or had no time left, by what was done then.",
            ("guard", "error", "action"),
            metrics.guard_failures,
        )
        yield self._histogram("guarding_seconds", "How long the guards of a request took.", metrics.guarding)
        yield self._gauge("guard_decisions_queue", "Decisions of guards that wait to be put on record.", len(writer))
        yield self._counter("guard_decisions_lost", "Those that could not be put on record.", writer.lost)
        moderating = self._plane.moderating
        yield self._counter("moderation_calls", "Calls of moderation models by guards.", moderating.calls)
        yield self._counter("moderation_failures", "Times that such a model had no answer.", moderating.failures)
        lost = self._plane.remembering.lost
        yield self._counter("guard_placeholders_lost", "Values that could not be kept for later requests.", lost)

    def _labelled(
        self, name: str, about: str, labels: tuple[str, ...], counts: Mapping[tuple[str, str, str], int]
    ) -> Metric:
        family = CounterMetricFamily(f"portcullis_{name}", about, labels=("process", *labels))
        for values, count in counts.items():
            family.add_metric((self._process, *values), count)
        return family

    def _batchers(self) -> "Iterator[tuple[str, Batcher[Any, Any]]]":
        for name, batcher in vars(self._plane.ledger).items():
            if isinstance(batcher, Batcher):
                yield name.strip("_"), batcher

    def _of_ledger(self, health: Health) -> Iterator[Metric]:
        yield self._gauge("outbox_records", "Usage records that wait for the main database.", health.outbox)
        yield self._gauge("mover_lag_seconds", "Since the oldest of them was admitted.", health.mover_lag_s)
        yield self._gauge("holds", "Requests that are admitted and not settled.", health.holds)
        yield self._gauge("oldest_hold_seconds", "Since the oldest of them was admitted.", health.oldest_hold_s)
        yield self._gauge("sweep_lag_seconds", "How long a hold is overdue to be swept.", health.sweep_lag_s)
        yield self._gauge("rejected_records", "Usage records that were set aside.", health.rejected)
        yield self._gauge("ledger_pins", "Transactions and the like that pin the ledger.", len(health.pins))
        yield self._gauge("ledger_pinned_seconds", "Age of the oldest of them.", health.pinned_s)

    def _gauge(self, name: str, about: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"portcullis_{name}", about, labels=("process",))
        family.add_metric((self._process,), value)
        return family

    def _counter(self, name: str, about: str, value: int) -> Metric:
        family = CounterMetricFamily(f"portcullis_{name}", about, labels=("process",))
        family.add_metric((self._process,), value)
        return family

    def _histogram(self, name: str, about: str, histogram: Histogram) -> Metric:
        family = HistogramMetricFamily(f"portcullis_{name}", about, labels=("process",))
        family.add_metric((self._process,), list(histogram.cumulated()), histogram.total)
        return family


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)
