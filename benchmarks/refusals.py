"""`python -m benchmarks.refusals`: what a client costs that hammers while its request rate is used up.

Beside a raw forwarder, and beside the floor: an application that sends the same bytes and does nothing for them. Each
gets the same requests from as many connections, in short turns, so that all meet the same moods of the machine.

A refusal may cost 150 µs of processor time where the forwarder costs 151 (`LIMIT_TAKEN_AT_US`), so on any machine it
may cost as much as the forwarder does there: refusing must not be dearer than to let through without governing. That
ratio is judged; the time itself is told, with how much slower than that machine this one is.
"""

import argparse
import http.client
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks import floor, machine
from benchmarks.floor import Fixed
from benchmarks.scenarios import WHOLE
from benchmarks.scratch import scratch
from benchmarks.verdicts import RUN_FAILED, Limit, conclude, table

if TYPE_CHECKING:
    from benchmarks.installation import Installation, Server
    from benchmarks.outcome import Round

ROUNDS = 15
TURN_S = 1.0
MOST_US = 150
MOST = {"forwarder": 1.0, "floor": 2.2}
"""The first is the limit of 150 µs on any machine; the second, below it, tells when a refusal has become dearer."""

LIMIT_TAKEN_AT_US = 151
"""What the forwarder cost on the machine where MOST_US was set."""

_BY_SERVER = {"date", "server", "connection"}
"""Headers that no application sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """One round: each server under load, one after the other."""

    floor: "Round"
    refusal: "Round"
    forwarder: "Round"


def main() -> None:
    arguments = _arguments()
    try:
        with scratch() as var_dir:
            rounds = _measured(var_dir, rounds=5 if arguments.quick else ROUNDS)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    print("\n" + "\n".join(f"{name:<12}{value}" for name, value in machine.describe().items()) + "\n")
    print(_report(rounds))
    limits = [
        Limit(what=f"CPU, refusal / {name}", value=_ratio(rounds, name), unit="×", most=most, depends_on_machine=True)
        for name, most in MOST.items()
    ]
    conclude(limits, strict=arguments.strict)


def _report(rounds: Sequence[Turns]) -> str:
    refusal_us, forwarder_us = (median(_cpu_us(rounds, name)) for name in ("refusal", "forwarder"))
    verdict = "met" if refusal_us <= MOST_US else "NOT MET"
    slower = forwarder_us / LIMIT_TAKEN_AT_US
    rows = (_cells(rounds, name) for name in ("floor", "refusal", "forwarder"))
    return (
        f"{WHOLE.connections} clients at once, medians of {len(rounds)} rounds\n"
        f"{table(('', 'per second', 'CPU µs', 'refusal by it'), rows)}\n\n"
        f"  at most {MOST_US} µs a refusal: {verdict}; "
        f"this machine is {slower:.1f} times slower than the one the limit was set on"
    )


def _cells(rounds: Sequence[Turns], name: str) -> tuple[str, ...]:
    rate = median(getattr(one, name).rate for one in rounds)
    return name, f"{rate:,.0f}", f"{median(_cpu_us(rounds, name)):,.0f}", f"{_ratio(rounds, name):.2f}"


def _ratio(rounds: Sequence[Turns], name: str) -> float:
    """The processor time of a refusal by that of `name`: the median over the rounds."""
    return median(one / other for one, other in zip(_cpu_us(rounds, "refusal"), _cpu_us(rounds, name), strict=True))


def _cpu_us(rounds: Sequence[Turns], name: str) -> list[float]:
    return [getattr(one, name).cpu_us for one in rounds]


def _measured(var_dir: Path, *, rounds: int) -> Sequence[Turns]:
    from benchmarks import installation, measure  # now: settings are read at import

    with installation.running(var_dir, step=_step) as all_of_it:
        refusal = _refused(replace(all_of_it.gateway, authorization=_spent_key()))
        environment = {floor.ANSWER: msgspec.json.encode(refusal).decode()}
        with installation.beside(
            var_dir, name="floor", application="benchmarks.floor:application", environment=environment
        ) as bare:
            try:
                return [_turns(all_of_it, bare, number=number + 1, of=rounds) for number in range(rounds)]
            except measure.BenchmarkFailed as error:
                print(f"The run failed: {error}", file=sys.stderr)
                sys.exit(RUN_FAILED)


def _turns(installation: "Installation", bare: "Server", *, number: int, of: int) -> Turns:
    from benchmarks import measure

    _step(f"Round {number} of {of}")
    key = _spent_key()  # a new one: of the last one's minute too little is left
    gateway, bare = (replace(server, authorization=key) for server in (installation.gateway, bare))
    refusal = measure.plan(WHOLE, gateway, expected=len(_refused(gateway).body), seconds=TURN_S)
    refusal = msgspec.structs.replace(refusal, status=429)
    fixed = msgspec.structs.replace(refusal, port=bare.port)
    forwarded = measure.plan(
        WHOLE, installation.forwarder, expected=measure.expected(installation, WHOLE), seconds=TURN_S
    )
    return Turns(
        floor=measure.one_round(installation, bare, fixed),
        refusal=measure.one_round(installation, gateway, refusal),
        forwarder=measure.one_round(installation, installation.forwarder, forwarded),
    )


def _spent_key() -> str:
    """A key that has one request a minute."""
    from tests import factories

    tenant = factories.a_tenant("umbrella", tier=factories.a_tier(requests_per_minute=1))
    return factories.a_key(tenant=tenant)[1]


def _refused(gateway: "Server") -> Fixed:
    """The refusal of `gateway`'s key, whose first request is answered."""
    from benchmarks import measure

    _answer(gateway)
    refusal = _answer(gateway)
    names = {name for name, _ in refusal.headers}
    if refusal.status != 429 or "retry-after" not in names or '"rate_limit_exceeded"' not in refusal.body:
        raise measure.BenchmarkFailed(f"no refusal, or not one that a client can go by: {refusal}")
    return refusal


def _answer(gateway: "Server") -> Fixed:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    try:
        headers = {"authorization": f"Bearer {gateway.authorization}", "content-type": "application/json"}
        connection.request("POST", gateway.paths[WHOLE.model], WHOLE.body(), headers)
        response = connection.getresponse()
        sent = [(name.lower(), value) for name, value in response.getheaders() if name.lower() not in _BY_SERVER]
        return Fixed(status=response.status, headers=sent, body=response.read().decode())
    finally:
        connection.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.refusals", description="Measures what a client that hammers costs."
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--strict", action="store_true", help="fail when a refusal costs more than the forwarder")
    return parser.parse_args()


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
