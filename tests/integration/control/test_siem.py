"""The audit log arrives elsewhere: in order, at least once, whatever dies on the way."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import Tenant
from compliance import announcing, sealed
from compliance.actions import audit_log, siem_streams
from compliance.actions.siem_deliveries import deliver
from compliance.contracts import ANONYMOUS
from compliance.errors import ActionRefused
from compliance.models import AuditEvent, AuditLeaf, SiemCursor, SiemProgress, SiemStream
from compliance.processes import this_process
from compliance.siem import lag, reading, secrets, transports
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.certificates import a_certificate, a_server, an_authority
from tests.factories.receiver import receiving
from tests.factories.siem import a_stream, events, place
from tests.factories.syslog import Collector, collecting

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def next_door(settings: Any) -> None:
    settings.SIEM_INSIDE = True


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was announced, and what was over."""
    told: list[str] = []
    monkeypatch.setattr(announcing, "_channels", [])

    def announce(it: announcing.Announcement) -> bool:
        told.append(f"{it.kind} {it.subject}")
        return True

    def is_over(kind: str, tenant_id: int | None, subject: str) -> int:
        told.append(f"over: {kind} {subject}")
        return 1

    announcing.use(announce, is_over)
    return told


def stream_of(tenant: Tenant, port: int = 6514, **fields: Any) -> SiemStream:
    return a_stream(port, **{"scope": SiemStream.Scope.TENANT, "tenant": tenant, "from_start": True, **fields})


def carry(stream: SiemStream) -> int:
    SiemProgress.objects.filter(stream=stream).update(next_at=None)
    return deliver(stream_id=stream.pk, by=THE_SYSTEM)


def numbers(collector: Collector) -> list[int]:
    return [int(message.parameters["event"]) for message in collector.messages]


def progress(stream: SiemStream) -> SiemProgress:
    return SiemProgress.objects.get(stream=stream)


def test_it_works(acme: Tenant, collector: Collector) -> None:
    happened = events(acme, 3, reason="to see it arrive")
    log = place(*happened)
    stream = stream_of(acme, collector.port)
    assert carry(stream) == 3
    assert numbers(collector) == [each.pk for each in happened]
    first = collector.messages[0]
    assert first.kind == "thing.happened"
    assert first.parameters["log"] == log.origin
    assert first.parameters["index"] == "0"
    assert json.loads(first.text)["metadata"]["product"]["name"] == "Portcullis"
    assert "to see it arrive" in first.text
    assert (progress(stream).delivered, progress(stream).error) == (3, "")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [(SiemStream.Format.OCSF, '"type":"Unknown","name":"anonymous"'), (SiemStream.Format.CEF, "spriv=anonymous ")],
    ids=["OCSF", "CEF"],
)
def test_who_is_not_known_is_anonymous(acme: Tenant, collector: Collector, chosen: str, said: str) -> None:
    place(*events(acme, 1, by=replace(ANONYMOUS, ip="192.0.2.1"), outcome="failure"))
    carry(stream_of(acme, collector.port, format=chosen))
    (message,) = collector.messages
    assert message.parameters["actor"] == "anonymous anonymous"
    assert said in message.text
    assert "192.0.2.1" in message.text


def test_what_the_sequencer_has_placed_arrives(acme: Tenant, collector: Collector) -> None:
    events(acme, 3)
    stream = stream_of(acme, collector.port)
    audit_log.checkpoint(by=THE_SYSTEM)
    carry(stream)
    places = AuditLeaf.objects.filter(log__tenant_id=acme.pk).order_by("index")
    assert numbers(collector) == [place.event_id for place in places]
    assert collector.messages[-1].kind == "siemstream.created"


def test_what_was_delivered_is_not_sent_again(acme: Tenant, collector: Collector) -> None:
    place(*events(acme, 2))
    stream = stream_of(acme, collector.port)
    carry(stream)
    assert carry(stream) == 0
    later = events(acme, 1)
    place(*later)
    carry(stream)
    assert numbers(collector)[2:] == [later[0].pk]


def test_what_was_committed_late_comes_at_its_place(acme: Tenant, collector: Collector) -> None:
    """Its number and its time are earlier than those of events that have been delivered."""
    late, early = events(acme, 1), events(acme, 2)
    place(*early)
    stream = stream_of(acme, collector.port)
    carry(stream)
    place(*late)
    carry(stream)
    assert numbers(collector) == [early[0].pk, early[1].pk, late[0].pk]


def test_without_what_was_there_it_begins_now(acme: Tenant, collector: Collector) -> None:
    place(*events(acme, 2))
    stream = stream_of(acme, collector.port, from_start=False)
    new = events(acme, 1)
    place(*new)
    carry(stream)
    assert numbers(collector) == [new[0].pk]


def test_a_log_that_begins_later_is_delivered_whole(collector: Collector) -> None:
    stream = a_stream(collector.port, scope=SiemStream.Scope.ALL)
    umbrella = a_tenant("umbrella")
    new = events(umbrella, 2)
    place(*new)
    carry(stream)
    assert numbers(collector) == [each.pk for each in new]


def test_a_tenants_stream_has_nothing_of_another(acme: Tenant, collector: Collector) -> None:
    place(*events(a_tenant("umbrella"), 2))
    own = events(acme, 1)
    place(*own)
    carry(stream_of(acme, collector.port))
    assert numbers(collector) == [own[0].pk]


def test_a_receiver_that_was_away_gets_everything_in_order(acme: Tenant) -> None:
    with collecting() as collector:
        port = collector.port
    happened = events(acme, 5)
    place(*happened)
    stream = stream_of(acme, port)
    assert carry(stream) == 0
    assert "nothing listens there" in progress(stream).error
    assert progress(stream).failures == 1
    with collecting(port=port) as back:
        assert carry(stream) == 5
        assert numbers(back) == [each.pk for each in happened]
    assert (progress(stream).failures, progress(stream).failing_since) == (0, None)


def test_a_receiver_that_dies_in_the_middle_gets_the_batch_again(acme: Tenant, collector: Collector) -> None:
    happened = events(acme, 40, reason="x" * 5000)
    place(*happened)
    stream = stream_of(acme, collector.port)
    collector.hang_up_after = 50_000
    assert carry(stream) == 0
    collector.hang_up_after = None
    assert carry(stream) == 40
    assert numbers(collector) == [each.pk for each in happened]


def test_after_a_failure_it_waits(acme: Tenant, collector: Collector) -> None:
    place(*events(acme, 1))
    stream = stream_of(acme, 1)
    carry(stream)
    first = progress(stream).next_at
    assert first is not None
    assert timedelta(0) < first - timezone.now() <= timedelta(seconds=10)
    assert deliver(stream_id=stream.pk, by=THE_SYSTEM) == 0
    assert progress(stream).failures == 1
    assert stream.pk not in lag.due()


def test_a_process_that_died_leaves_it_to_the_next(acme: Tenant, collector: Collector) -> None:
    place(*events(acme, 1))
    stream = stream_of(acme, collector.port)
    here = this_process().rsplit(" ", 2)[0]
    in_an_hour = timezone.now() + timedelta(hours=1)
    SiemProgress.objects.filter(stream=stream).update(process=f"{here} 1 0.00", leased_until=in_an_hour)
    assert carry(stream) == 1


def test_one_delivers_at_a_time(acme: Tenant, collector: Collector) -> None:
    place(*events(acme, 1))
    stream = stream_of(acme, collector.port)
    in_an_hour = timezone.now() + timedelta(hours=1)
    SiemProgress.objects.filter(stream=stream).update(process=this_process(), leased_until=in_an_hour)
    assert carry(stream) == 0
    assert collector.connections == 0


def test_who_was_silent_for_too_long_moves_nothing(
    acme: Tenant, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease was taken while it was sending: what it sent is sent again by who has it now."""
    place(*events(acme, 1))
    stream = stream_of(acme, collector.port)
    send = transports.send

    def slowly(*args: Any, **options: Any) -> None:
        send(*args, **options)
        SiemProgress.objects.filter(stream=stream).update(process="elsewhere 1 0.00")

    monkeypatch.setattr(transports, "send", slowly)
    carry(stream)
    assert not SiemCursor.objects.filter(stream=stream).exists()


def test_batches_are_bounded(acme: Tenant, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_OF_A_LOG", 2)
    happened = events(acme, 5)
    place(*happened)
    assert carry(stream_of(acme, collector.port)) == 5
    assert [stream.count(b"[portcullis@32473 ") for stream in collector.streams] == [2, 2, 1]
    assert numbers(collector) == [each.pk for each in happened]


def test_a_batch_that_is_too_large_is_halved(acme: Tenant) -> None:
    happened = events(acme, 4)
    place(*happened)
    with receiving() as receiver:

        def at_most_one(handler: Any) -> None:
            too_large = receiver.requests[-1][2].count(b"\n") > 1
            handler.send_response(413 if too_large else 200)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        receiver.behave = at_most_one
        stream = stream_of(acme, transport=SiemStream.Transport.HTTPS, url=receiver.url)
        assert carry(stream) == 4
        bodies = [body for _, body in receiver.messages if body.count(b"\n") == 1]
    assert [json.loads(body)["metadata"]["uid"] for body in bodies] == [str(each.pk) for each in happened]


class TestAnEventThatCannotBeDelivered:
    def test_one_that_the_receiver_refuses_is_found_and_skipped(self, acme: Tenant) -> None:
        """What comes before it arrives, however many are sent at once."""
        happened = events(acme, 5)
        place(*happened)
        poison = happened[3]
        arrived: list[int] = []

        with receiving() as receiver:

            def all_but_one(handler: Any) -> None:
                numbers = [int(json.loads(line)["metadata"]["uid"]) for line in receiver.requests[-1][2].splitlines()]
                if poison.pk not in numbers:
                    arrived.extend(numbers)
                handler.send_response(400 if poison.pk in numbers else 200)
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            receiver.behave = all_but_one
            stream = stream_of(acme, transport=SiemStream.Transport.HTTPS, url=receiver.url)
            carry(stream)
            assert len(arrived) == 3
            assert progress(stream).stuck_index == 3
            siem_streams.skip_event(stream=stream, by=THE_SYSTEM, reason="the receiver cannot parse it")
            carry(stream)
        assert len(arrived) == 4
        assert poison.pk not in arrived
        assert progress(stream).failing_since is None
        event = AuditEvent.objects.get(action="siemstream.event_skipped")
        assert (event.after["index"], event.after["event"]) == (3, poison.pk)
        assert event.reason == "the receiver cannot parse it"

    def test_one_that_no_message_can_be_made_of_keeps_none_before_it(
        self, acme: Tenant, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place(*events(acme, 4))
        stream, rendered = stream_of(acme, collector.port), reading.rendered

        def not_the_third(row: Any, of: SiemStream) -> bytes:
            if row.index == 2:
                raise TypeError
            return rendered(row, of)

        monkeypatch.setattr(reading, "rendered", not_the_third)
        assert carry(stream) == 2
        assert progress(stream).stuck_index == 2
        assert "TypeError" in progress(stream).error
        siem_streams.skip_event(stream=stream, by=THE_SYSTEM, reason="x")
        assert carry(stream) == 1

    def test_what_fails_for_another_reason_skips_nothing(self, acme: Tenant) -> None:
        place(*events(acme, 1))
        stream = stream_of(acme, 1)
        carry(stream)
        assert progress(stream).failures == 1
        with pytest.raises(ActionRefused, match="No single event"):
            siem_streams.skip_event(stream=stream, by=THE_SYSTEM, reason="x")


def test_https_with_a_token_and_an_authority_of_ones_own(acme: Tenant, tmp_path: Path) -> None:
    place(*events(acme, 2))
    with receiving(tls=a_server(tmp_path)) as receiver:
        fields: dict[str, Any] = {
            "transport": SiemStream.Transport.HTTPS,
            "url": receiver.url,
            "ca": an_authority()[0].pem,
        }
        stream = stream_of(acme, secrets={"token": "s3cret"}, **fields)
        assert carry(stream) == 2
    ((headers, body),) = receiver.messages
    assert headers["authorization"] == "Bearer s3cret"
    assert len(body.splitlines()) == 2


def test_tls_with_a_certificate_of_ours(acme: Tenant, tmp_path: Path) -> None:
    place(*events(acme, 2))
    own = a_certificate("portcullis", by="clients")
    with collecting(a_server(tmp_path, clients_by="clients")) as collector:
        stream = stream_of(
            acme,
            collector.port,
            transport=SiemStream.Transport.TLS,
            ca=an_authority()[0].pem,
            certificate=own.pem,
            secrets={"private_key": own.key},
        )
        assert carry(stream) == 2
        assert len(collector.messages) == 2


def test_cef(acme: Tenant, collector: Collector) -> None:
    place(*events(acme, 1, reason="a=b|c\\d\nüber"))
    carry(stream_of(acme, collector.port, format=SiemStream.Format.CEF))
    assert collector.messages[0].text.startswith("CEF:0|Portcullis|")
    assert "a\\=b|c\\\\d\\nüber" in collector.messages[0].text


def test_an_event_of_64_kilobytes(acme: Tenant, collector: Collector) -> None:
    reason = 'Zoë "]\\ \n' * 6500
    happened = events(acme, 1, reason=reason)
    after = events(acme, 1)
    place(*happened, *after)
    carry(stream_of(acme, collector.port))
    first, second = collector.messages
    assert len(first.text) > 65_536
    assert reason in _texts(json.loads(first.text))
    assert second.parameters["event"] == str(after[0].pk)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def test_people_are_told_when_it_lasts(acme: Tenant, told: list[str]) -> None:
    place(*events(acme, 1))
    with collecting() as collector:
        port = collector.port
    stream = stream_of(acme, port)
    carry(stream)
    assert told == []
    SiemProgress.objects.filter(stream=stream).update(failing_since=timezone.now() - timedelta(minutes=15))
    carry(stream)
    assert told == [f"siem_failing siemstream {stream.pk}"]
    with collecting(port=port):
        carry(stream)
    assert told[1:] == [f"over: siem_failing siemstream {stream.pk}"]


class TestStreams:
    def test_a_paused_one_goes_on_where_it_stopped(self, acme: Tenant, collector: Collector) -> None:
        stream = stream_of(acme, collector.port)
        siem_streams.pause(stream=stream, by=THE_SYSTEM, reason="maintenance")
        place(*events(acme, 2))
        assert carry(stream) == 0
        siem_streams.resume(stream=stream, by=THE_SYSTEM)
        assert carry(stream) == 2

    def test_secrets_are_sealed_and_in_no_event(self, acme: Tenant) -> None:
        https: dict[str, Any] = {"transport": SiemStream.Transport.HTTPS, "url": "https://siem.example/"}
        stream = stream_of(acme, secrets={"token": "s3cret"}, **https)
        stream.refresh_from_db()
        assert b"s3cret" not in bytes(stream.token or b"")
        assert secrets.destination_of(stream).token == "s3cret"
        told = AuditEvent.objects.filter(target_kind="siemstream", target_id=str(stream.pk))
        assert {each.action for each in told} == {"siemstream.created", "siemstream.token_set"}
        assert "s3cret" not in str(list(told.values("before", "after")))
        assert "token" not in told.get(action="siemstream.created").after

    def test_its_secrets_are_known_to_the_rotation_of_root_keys(self) -> None:
        assert {"SIEM tokens", "SIEM private keys"} <= {column.title for column in sealed.columns()}

    def test_a_token_goes_to_no_other_address(self, acme: Tenant) -> None:
        https: dict[str, Any] = {"transport": SiemStream.Transport.HTTPS, "url": "https://siem.example/"}
        stream = stream_of(acme, secrets={"token": "s3cret"}, **https)
        stream.url = "https://elsewhere.example/"
        with pytest.raises(ValidationError, match="Enter the token again"):
            siem_streams.change(stream=stream, by=THE_SYSTEM)
        siem_streams.change(stream=stream, by=THE_SYSTEM, token="another")
        assert secrets.destination_of(stream).token == "another"

    @pytest.mark.parametrize(
        "fields",
        [
            {"transport": "syslog_tcp", "host": "siem.example"},
            {"transport": "https", "url": "http://siem.example/"},
            {"transport": "https", "url": ""},
            {"transport": "syslog_tls", "host": ""},
            {"transport": "syslog_tls", "host": "siem.example", "ca": "no certificate"},
            {"transport": "syslog_tls", "host": "siem.example", "certificate": "without its key"},
            {"transport": "syslog_tls", "host": "siem.example", "scope": "all"},
        ],
        ids=["not encrypted", "http", "no URL", "no host", "no CA", "no key", "everything of a tenant"],
    )
    def test_what_makes_no_sense_is_refused(self, fields: dict[str, Any], acme: Tenant, settings: Any) -> None:
        settings.SIEM_INSIDE = False
        with pytest.raises(ValidationError):
            stream_of(acme, **fields)

    def test_nothing_is_sent_inside(self, acme: Tenant, settings: Any) -> None:
        place(*events(acme, 1))
        stream = stream_of(acme, transport=SiemStream.Transport.TLS)
        settings.SIEM_INSIDE = False
        carry(stream)
        assert "not a public address" in progress(stream).error
        assert "SIEM_INSIDE=true" in progress(stream).error

    def test_a_test_arrives(self, acme: Tenant, collector: Collector) -> None:
        stream = stream_of(acme, collector.port)
        siem_streams.send_test(stream=stream, by=THE_SYSTEM)
        (message,) = collector.messages
        assert message.kind == "siemstream.test"
        assert message.time.startswith(f"{timezone.now():%Y-%m-%d}")
        event = json.loads(message.text)
        assert abs(event["time"] / 1000 - timezone.now().timestamp()) < 60
        assert event["metadata"]["uid"].startswith("test-")
        assert stream.name in event["comment"]

    def test_a_test_that_does_not_arrive_says_why(self, acme: Tenant) -> None:
        stream = stream_of(acme, 1)
        with pytest.raises(ActionRefused, match="nothing listens there"):
            siem_streams.send_test(stream=stream, by=THE_SYSTEM)
        assert AuditEvent.objects.get(action="siemstream.tested", target_id=str(stream.pk)).outcome == "failure"

    def test_one_that_is_removed_takes_its_secrets_along(self, acme: Tenant) -> None:
        stream = stream_of(acme)
        siem_streams.remove(stream=stream, by=THE_SYSTEM, reason="not needed")
        assert not SiemStream.objects.filter(name=stream.name).exists()
