"""`python -m benchmarks.auditing`: how long a million audit events take to be verified, what writing one adds to an
administrator's action, and whether requests notice.

Everything is in temporary folders. The three parts:

* Events are seeded with COPY, with salts, places, hashes and signatures as they are given otherwise, and verified.
* An administrator's form is sent again and again, in turns with the audit write and without.
* Rounds of requests at a steady pace: in turns with nothing beside them, and while audit events are written, sequenced
  and signed much faster than people ever do.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.verdicts import Limit, conclude

EVENTS = 1_000_000
TENANTS = 20
MOST_S = 60.0
MOST_SHARE = 1.03
MOST_P50, MOST_P99 = 1.03, 1.10
FORMS, QUICK_FORMS = 300, 100
ROUNDS, QUICK_ROUNDS = 9, 5
BESIDE_PER_S = 50
COPIED_AT_ONCE = 50_000

COPIED = (
    *("id", "occurred_at", "tenant_id", "actor_kind", "actor_id", "action", "target_kind", "target_id", "outcome"),
    *("reason", "before", "after", "request_id", "ip", "user_agent", "version", "salts", "redacted", "subjects"),
)


def main() -> None:
    arguments = _arguments()
    parts = {"events": _of_events, "forms": _of_forms, "requests": _of_requests}
    chosen = [arguments.only] if arguments.only else list(parts)
    if len(chosen) == 1:
        conclude(parts[chosen[0]](arguments), strict=arguments.strict)
    # Each part has an installation of its own, and settings are read once in a process.
    options = [each for each in sys.argv[1:] if each.startswith("--")]
    status = 0
    for part in chosen:
        command = [sys.executable, "-m", "benchmarks.auditing", *options, "--only", part]
        status = max(status, os.waitstatus_to_exitcode(os.waitpid(os.spawnv(os.P_NOWAIT, command[0], command), 0)[1]))
    sys.exit(status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.auditing", description="Times the audit log.")
    parser.add_argument("--quick", action="store_true", help="100,000 events and fewer rounds")
    parser.add_argument("--only", choices=("events", "forms", "requests"), help="one part alone")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


# --- a million events ------------------------------------------------------------------------------------------------


def _of_events(arguments: argparse.Namespace) -> list[Limit]:
    from benchmarks.reports import installation

    count = EVENTS // 10 if arguments.quick else EVENTS
    with installation(None):
        from compliance.actions import audit_log, verification
        from compliance.contracts import SYSTEM

        _step(f"Seeding {count:,} events")
        seeded_s = _timed(lambda: _seed(count))[1]
        audit_log.deliver()
        _step(f"{count / seeded_s:,.0f} events/s; verifying")
        found = 0.0
        for processes in (2, 1):
            before = _cpu_s()
            report, verified_s = _timed(lambda: verification.verify(by=SYSTEM, processes=processes))  # noqa: B023
            assert report.is_clean, report.in_order()
            assert report.events >= count
            took = f"{verified_s:8.1f} s, {report.events / verified_s:,.0f} events/s"
            print(
                f"{processes} process(es)         {took}; CPU {_cpu_s() - before:.1f} s without PostgreSQL", flush=True
            )
            found = verified_s if processes == 2 else found
        print(f"memory                 {_largest_mb():8,.0f} MB at the most")
    most = MOST_S * count / EVENTS
    return [Limit(what=f"verify {count:,} events", value=found, most=most, unit="s", depends_on_machine=True)]


def _seed(count: int) -> None:
    """Events as actions write them, with the places, hashes and signatures that the sequencer gives; but copied."""
    from django.db import connection, transaction

    from accounts.actions import tenants
    from accounts.models import Tenant
    from compliance import guard
    from compliance.actions import audit_log
    from compliance.contracts import SYSTEM
    from compliance.models import AuditEvent

    for number in range(TENANTS):
        tenants.open(tenant=Tenant(slug=f"tenant-{number}", name=f"Tenant {number}"), by=SYSTEM)
    audit_log.checkpoint(by=SYSTEM)
    logs = _edges()
    first = AuditEvent.objects.latest("id").pk + 1
    with connection.cursor() as cursor:
        for start in range(0, count, COPIED_AT_ONCE):
            places: list[tuple[int, int, int]] = []
            with transaction.atomic(), guard.lifted("sequence"):
                with cursor.copy(f"COPY compliance_auditevent ({', '.join(COPIED)}) FROM STDIN") as copy:
                    for row in _rows(first + start, min(COPIED_AT_ONCE, count - start), list(logs)):
                        places.append(_place(row, *logs[row[2]]))
                        copy.write_row(row)
                with cursor.copy("COPY compliance_auditleaf (event_id, log_id, index) FROM STDIN") as copy:
                    for place in places:
                        copy.write_row(place)
                _seal(logs)
                cursor.execute("DELETE FROM compliance_auditpending")
        cursor.execute("SELECT setval(pg_get_serial_sequence('compliance_auditevent', 'id'), %s)", [first + count])
        cursor.execute("VACUUM (ANALYZE)")


def _edges() -> dict[int | None, tuple[Any, Any]]:
    """Tenant to its log and the edge of its tree."""
    from compliance.evidence.tiles import Edge
    from compliance.models import AuditLog, AuditTile

    return {
        log.tenant_id: (
            log,
            Edge(log.size, {(row.level, row.index): bytes(row.hashes) for row in AuditTile.objects.filter(log=log)}),
        )
        for log in AuditLog.objects.all()
    }


def _place(row: tuple[Any, ...], log: Any, edge: Any) -> tuple[int, int, int]:
    from compliance.evidence import leaves

    event = dict(zip(COPIED, row, strict=True))
    event.update(before=json.loads(event["before"]), after=json.loads(event["after"]), redacted={})
    edge.add([leaves.leaf_of(event)])
    return event["id"], log.pk, edge.size - 1


def _seal(logs: dict[int | None, tuple[Any, Any]]) -> None:
    from compliance.evidence import notes
    from compliance.keyring import signers
    from compliance.models import AuditCheckpoint, AuditLog, AuditTile

    key = signers.current()
    assert key is not None
    for log, edge in logs.values():
        AuditLog.objects.filter(pk=log.pk).update(size=edge.size)
        AuditTile.objects.bulk_create(
            [AuditTile(log=log, level=at[0], index=at[1], hashes=hashes) for at, hashes in edge.changed.items()],
            update_conflicts=True,
            update_fields=["hashes"],
            unique_fields=["log", "level", "index"],
        )
        edge.changed.clear()
        note = notes.sign_checkpoint(notes.Checkpoint(log.origin, edge.size, edge.root()), keys=[key])
        AuditCheckpoint.objects.create(log=log, size=edge.size, root=edge.root(), note=note)


def _rows(first: int, count: int, owners: list[int | None]) -> Iterator[tuple[Any, ...]]:
    """As actions write them: a change of a row with some columns, by a person at a browser."""
    from compliance.evidence import leaves

    at = datetime.now(UTC) - timedelta(days=1)
    for number in range(first, first + count):
        row: dict[str, Any] = {
            "id": number,
            "occurred_at": at + timedelta(microseconds=number),
            "tenant_id": owners[number % len(owners)],
            "actor_kind": "user",
            "actor_id": str(number % 40),
            "action": "budget.changed",
            "target_kind": "budget",
            "target_id": str(number % 5000),
            "outcome": "success",
            "reason": "the forecast was raised",
            "before": {"limit_nano": number, "mode": "hard", "alert_levels": [50, 80, 100]},
            "after": {"limit_nano": number + 1, "mode": "soft", "alert_levels": [80, 100]},
            "request_id": f"{number:032x}",
            "ip": f"10.0.{number % 250}.{number % 200 + 1}",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "version": 2,
            "redacted": "{}",
            "subjects": "{}",
        }
        row["salts"] = os.urandom(leaves.SALT_BYTES * leaves.count_of(row))
        row["before"], row["after"] = json.dumps(row["before"]), json.dumps(row["after"])
        yield tuple(row[name] for name in COPIED)


# --- what it adds to an action ---------------------------------------------------------------------------------------


def _of_forms(arguments: argparse.Namespace) -> list[Limit]:
    from benchmarks.reports import installation

    with installation(None):
        from django.conf import settings

        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        send = _sender()
        for number in range(20):
            send(number)
        inside: list[float] = []
        with_s: list[float] = []
        without_s: list[float] = []
        for number in range(QUICK_FORMS if arguments.quick else FORMS):
            for audited in (True, False) if number % 2 else (False, True):
                with _timing(inside) if audited else _no_audit():
                    took = _timed(lambda: send(number * 2 + audited))[1]  # noqa: B023 - called at once
                (with_s if audited else without_s).append(took)
    share = 1 + median(own / (whole - own) for own, whole in zip(inside, with_s, strict=True))
    print(f"a form, with audit     {median(with_s) * 1000:8.2f} ms, without {median(without_s) * 1000:.2f} ms")
    print(f"writing the event      {median(inside) * 1000:8.2f} ms of it")
    paired = median(with_s) / median(without_s)
    return [
        Limit(what="an action with its event / without its time", value=share, most=MOST_SHARE, unit="×"),
        Limit(
            what="an action with audit / without, in turns",
            value=paired,
            most=MOST_SHARE,
            unit="×",
            depends_on_machine=True,
        ),
    ]


def _sender() -> Callable[[int], None]:
    """Sends the form of a tier with another name, as an administrator's browser does."""
    from django.test import Client

    from tests import factories
    from tests.factories.control import an_admin
    from tests.integration.control.test_admin_writes import TIER

    client, tier = Client(), factories.a_tier()
    client.force_login(an_admin())
    url = f"/admin/billing/tier/{tier.pk}/change/"
    form = {**TIER, "slug": tier.slug}

    def send(number: int) -> None:
        answer = client.post(url, {**form, "name": f"Tier {number}"})
        assert answer.status_code == 302, answer.status_code

    return send


@contextmanager
def _timing(into: list[float]) -> Iterator[None]:
    from compliance import audit

    record = audit.record

    def timed(**about: Any) -> Any:
        result, took = _timed(lambda: record(**about))
        into.append(took)
        return result

    audit.record = timed
    try:
        yield
    finally:
        audit.record = record


@contextmanager
def _no_audit() -> Iterator[None]:
    from compliance import audit

    record = audit.record
    audit.record = lambda **_: None  # type: ignore[assignment]
    try:
        yield
    finally:
        audit.record = record


# --- what requests notice --------------------------------------------------------------------------------------------


def _of_requests(arguments: argparse.Namespace) -> list[Limit]:
    from benchmarks.scenarios import WHOLE
    from benchmarks.scratch import scratch

    steady = replace(WHOLE, name="steady", title="whole answers", connections=16, every_s=0.1, spread_s=0.1)
    quiet: list[Any] = []
    beside: list[Any] = []
    with scratch() as var_dir:
        from benchmarks import installation, measure  # now: settings are read at import

        with installation.running(var_dir, step=_step) as all_of_it:
            expected = measure.expected(all_of_it, steady)
            plan = measure.plan(steady, all_of_it.gateway, expected=expected, seconds=2)
            for number in range(QUICK_ROUNDS if arguments.quick else ROUNDS):
                _step(f"Requests: round {number + 1}")
                for audited in (True, False) if number % 2 else (False, True):
                    with _events_beside() if audited else _nothing():
                        tally = measure.one_round(all_of_it, all_of_it.gateway, plan)
                    (beside if audited else quiet).append(tally)
            installation.disconnect()
    for title, rounds in (("alone", quiet), (f"beside {BESIDE_PER_S} events/s", beside)):
        p50, p99 = median(each.p50_ms for each in rounds), median(each.p99_ms for each in rounds)
        print(f"{title:<22} {p50:8.2f} ms p50 {p99:8.2f} ms p99")
    pairs = list(zip(quiet, beside, strict=True))
    return [
        Limit(
            what="p50 beside audit events / alone",
            value=median(b.p50_ms / a.p50_ms for a, b in pairs),
            most=MOST_P50,
            unit="×",
            depends_on_machine=True,
        ),
        Limit(
            what="p99 beside audit events / alone",
            value=median(b.p99_ms / a.p99_ms for a, b in pairs),
            most=MOST_P99,
            unit="×",
            depends_on_machine=True,
        ),
    ]


@contextmanager
def _events_beside() -> Iterator[None]:
    """Writes events, and has them sequenced and signed each second."""
    ended = threading.Event()
    thread = threading.Thread(target=_write, args=(ended,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _write(ended: threading.Event) -> None:
    from django.db import connections, transaction

    from compliance import audit
    from compliance.actions import audit_log
    from compliance.contracts import SYSTEM, Target

    number = 0
    while not ended.wait(1 / BESIDE_PER_S):
        with transaction.atomic():
            audit.record(
                by=SYSTEM, action="tier.changed", target=Target("tier", "1"), tenant_id=None, after={"name": "another"}
            )
        number += 1
        if number % BESIDE_PER_S == 0:
            audit_log.checkpoint(by=SYSTEM)
    connections.close_all()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    began = perf_counter()
    result = function()
    return result, perf_counter() - began


def _cpu_s() -> float:
    """Of this process and of those that it has ended."""
    return sum(os.times()[:4])


def _largest_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
