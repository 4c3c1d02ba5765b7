"""Measures: forwarder and gateway in turns, in short rounds, so that both meet the same moods of the machine."""

import http.client
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from benchmarks import processes
from benchmarks.installation import Installation, Server
from benchmarks.load import Plan, Tally
from benchmarks.outcome import Memory, Result, Round
from benchmarks.scenarios import GUARDED, OPEN_STREAMS, WHOLE, Scenario

MEGABYTE = 10**6


class BenchmarkFailed(Exception):
    """Something answered wrongly, or not at all: there is nothing to measure."""


def scenario(
    installation: Installation, what: Scenario, *, rounds: int, seconds: float, step: Callable[[str], None]
) -> Result:
    """Runs `rounds` of each server, in turns."""
    size = expected(installation, what)
    result = Result(scenario=what, forwarder=[], gateway=[])
    for number in range(rounds):
        step(f"{what.title}: round {number + 1} of {rounds}")
        for server, into in ((installation.forwarder, result.forwarder), (installation.gateway, result.gateway)):
            into.append(one_round(installation, server, plan(what, server, expected=size, seconds=seconds)))
    return result


def memory(installation: Installation, *, step: Callable[[str], None]) -> Memory:
    """At rest, having answered once so that everything is loaded; and with streams open."""
    step("Memory at rest, and with 300 streams open")
    gateway = installation.gateway
    for what in (WHOLE, GUARDED, OPEN_STREAMS):
        _answer(gateway.port, gateway.paths[what.model], _authorization(what, gateway), _brief(what))
    at_rest = rss_mb(gateway)
    opened = plan(OPEN_STREAMS, gateway, expected=0, seconds=0)
    with load(msgspec.structs.replace(opened, hold=True)):
        return Memory(at_rest_mb=at_rest, with_streams_mb=rss_mb(gateway))


def rss_mb(server: Server) -> float:
    return processes.largest_rss_bytes(server.pid) / MEGABYTE


def one_round(installation: Installation, server: Server, what: Plan) -> Round:
    """Puts one server under load, once."""
    with load(what) as generator:
        before = _cpu_s(installation, server)
        tally = msgspec.json.decode(say(generator, "go"), type=Tally)
        after = _cpu_s(installation, server)
    units = tally.events
    cpu_us, postgres_us = ((end - begin) * 1e6 / units for begin, end in zip(before, after, strict=True))
    return Round(
        rate=units / tally.seconds,
        p50_ms=tally.p50_ms,
        p99_ms=tally.p99_ms,
        first_p50_ms=tally.first_p50_ms,
        first_p99_ms=tally.first_p99_ms,
        cpu_us=cpu_us,
        postgres_us=postgres_us,
    )


def _cpu_s(installation: Installation, server: Server) -> tuple[float, float]:
    """Processor time of the server, and of PostgreSQL."""
    try:
        return processes.cpu_s(server.pid), processes.cpu_s(installation.postgres_pid)
    except processes.Ended as error:
        raise BenchmarkFailed(f"the {server.name} or PostgreSQL is gone: {error}") from error


def plan(what: Scenario, server: Server, *, expected: int, seconds: float) -> Plan:
    """What a load generator is to do; `expected` is the size of a good answer."""
    return Plan(
        port=server.port,
        path=server.paths[what.model],
        authorization=_authorization(what, server),
        body=what.body(),
        streamed=what.streamed,
        expected=expected,
        connections=what.connections,
        seconds=seconds,
        spread_s=what.spread_s,
        every_s=what.every_s,
    )


@contextmanager
def load(what: Plan) -> Iterator["subprocess.Popen[str]"]:
    """A load generator that has warmed up."""
    command = [sys.executable, "-m", "benchmarks.load"]
    pipe = subprocess.PIPE
    generator = subprocess.Popen(command, text=True, start_new_session=True, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        say(generator, msgspec.json.encode(what).decode())
        yield generator
    finally:
        generator.kill()
        generator.communicate()


def say(generator: "subprocess.Popen[str]", line: str) -> str:
    """Writes a line to the load generator, and returns the one that it answers."""
    assert generator.stdin is not None
    assert generator.stdout is not None
    generator.stdin.write(line + "\n")
    generator.stdin.flush()
    if not (answer := generator.stdout.readline()):
        _, said = generator.communicate()
        raise BenchmarkFailed(said.strip() or "the load generator ended without a word")
    return answer


def expected(installation: Installation, what: Scenario) -> int:
    """What the upstream itself answers: bytes of a whole answer, events of a stream."""
    body = _answer(installation.upstreams[what.model], "/v1/chat/completions", "", what.body())
    return body.count(b"data: ") if what.streamed else len(body)


def passed_on(server: Server, what: Scenario, *, body: str) -> int:
    """The same of what a server makes of it: guards that look at a stream join some of its events."""
    answer = _answer(server.port, server.paths[what.model], _authorization(what, server), body)
    return answer.count(b"data: ") if what.streamed else len(answer)


def _authorization(what: Scenario, server: Server) -> str:
    return server.guarded if what.guarded and server.guarded else server.authorization


def _brief(what: Scenario) -> str:
    """The same request, answered in no time."""
    fields = msgspec.json.decode(what.body(), type=dict[str, object])
    fields.pop("sandbox", None)
    return msgspec.json.encode(fields).decode()


def _answer(port: int, path: str, authorization: str, body: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"authorization": f"Bearer {authorization}", "content-type": "application/json"}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise BenchmarkFailed(f"answered {response.status}: {answer[:1000].decode(errors='replace')}")
    return answer
