"""A key that is seen where it does not belong is dead at once, and nothing that nobody signed changes anything."""

import base64
import hashlib
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from accounts import claims, known_secrets, tokens
from accounts.actions import key_tending, rotations
from accounts.models import ApiKey, RetiringSecret, SecretClaim
from billing.models import Alert
from compliance import announcing
from compliance.announcing import Announcement
from compliance.contracts import SYSTEM
from compliance.errors import ActionRefused
from compliance.models import AuditEvent, AuditTally
from gateway.actions import leaks, scanning_keys
from gateway.leaks.finding import Sighting
from gateway.models import Leak, ScanningKey
from tests.factories import THE_SYSTEM, a_key
from tests.factories.leaks import IDENTIFIER, PEM, SIGNER, a_scanning_key

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def pinned() -> ScanningKey:
    return a_scanning_key()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Announcement]:
    told: list[Announcement] = []
    monkeypatch.setattr(announcing, "announce", told.append)
    return told


def a_report(*texts: str, **fields: str) -> bytes:
    values = {"type": "portcullis_api_key", "url": "https://example.com/blob/keys.txt", "source": "content", **fields}
    return json.dumps([{"token": text, **values} for text in texts]).encode()


def signed(body: bytes, signer: ec.EllipticCurvePrivateKey = SIGNER) -> str:
    return base64.b64encode(signer.sign(body, ec.ECDSA(hashes.SHA256()))).decode()


def send(body: bytes, signature: str | None = None, identifier: str = IDENTIFIER) -> Any:
    return Client().post(
        "/api/leaks/github",
        body,
        content_type="application/json",
        headers={
            "Github-Public-Key-Identifier": identifier,
            "Github-Public-Key-Signature": signed(body) if signature is None else signature,
        },
    )


def status_of(key: ApiKey) -> str:
    return ApiKey.objects.get(pk=key.pk).status


def works(text: str) -> bool:
    """Whether either plane would take it, as far as its secret goes."""
    secret = known_secrets.find(text.split("_")[2])
    return secret is not None and secret.key.status == "active"


def test_it_works(told: list[Announcement]) -> None:
    key, text = a_key()
    answer = send(a_report(text))
    assert answer.status_code == 200
    assert answer.json() == [
        {
            "token_hash": hashlib.sha256(text.encode()).hexdigest(),
            "token_type": "portcullis_api_key",
            "label": "true_positive",
        }
    ]
    assert status_of(key) == "revoked"
    assert [(each.kind, each.tenant_id) for each in told] == [("key_leaked", key.tenant_id), ("key_leaked", None)]
    event = AuditEvent.objects.get(action="apikey.leaked")
    assert (event.tenant_id, event.target_id, event.after["outcome"]) == (key.tenant_id, str(key.pk), "revoked")
    told_of = str([told, list(AuditEvent.objects.values()), list(Leak.objects.values())])
    assert text.split("_")[3] not in told_of


def test_the_published_example_of_a_signature_is_accepted() -> None:
    """From GitHub's documentation of the protocol; its key is one that GitHub used until 2022."""
    pem = (
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\n"
        "kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==\n"
        "-----END PUBLIC KEY-----\n"
    )
    a_scanning_key(pem, "90a42116")
    body = b'[{"token":"some_token","type":"some_type","url":"some_url"}]'
    signature = "MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc="
    answer = send(body, signature, "90a42116")
    assert answer.status_code == 200
    assert [each["label"] for each in answer.json()] == ["false_positive"]


def test_the_same_report_again_changes_nothing(told: list[Announcement]) -> None:
    _, text = a_key()
    body = a_report(text)
    first, again = send(body), send(body)
    assert again.json() == first.json()
    assert len(told) == 2
    assert AuditEvent.objects.filter(action="apikey.revoked").count() == 1


def test_a_retiring_secret_ends_and_its_key_goes_on(told: list[Announcement]) -> None:
    key, old = a_key()
    rotations.rotate(key=key, by=THE_SYSTEM)
    answer = send(a_report(old))
    assert answer.json()[0]["label"] == "true_positive"
    assert status_of(key) == "active"
    assert not works(old)
    assert Leak.objects.get().outcome == "ended"
    assert send(a_report(old)).json() == answer.json()
    assert len(told) == 2


def test_by_another_policy_the_secret_is_replaced(settings: Any, told: list[Announcement]) -> None:
    settings.LEAKED_KEYS = "rotate"
    key, text = a_key()
    assert send(a_report(text)).json()[0]["label"] == "true_positive"
    assert status_of(key) == "active"
    assert not works(text)
    assert not RetiringSecret.objects.filter(ended_at=None).exists()
    assert Leak.objects.get().outcome == "rotated"
    assert len(told) == 2


def test_who_is_told_of_a_replaced_secret_can_claim_the_new_one(settings: Any) -> None:
    """The old one is dead at once; the link lives as long as an overlap does, and is renewed like any other."""
    settings.LEAKED_KEYS = "rotate"
    key, text = a_key()
    send(a_report(text))
    claim = SecretClaim.objects.get(key=key)
    address = claims.url_of(claim.pk)
    assert address
    assert claim.expires_at - timezone.now() > timedelta(days=settings.KEY_OVERLAP_DAYS, minutes=-1)
    now = timezone.now()
    assert key_tending.renew_due(by=THE_SYSTEM, at=now) == 0
    _, secret = rotations.claim(token=address.rstrip("/").rpartition("/")[2], by=THE_SYSTEM)
    assert works(secret)
    assert not works(text)


def test_a_link_to_the_successor_of_a_leaked_secret_is_renewed_before_it_ends(settings: Any) -> None:
    settings.LEAKED_KEYS = "rotate"
    key, text = a_key()
    send(a_report(text))
    ended = RetiringSecret.objects.get(key=key)
    SecretClaim.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    assert key_tending.renew_due(by=THE_SYSTEM, at=timezone.now()) == 1
    assert claims.url_of(SecretClaim.objects.get(key=key, state="waiting").pk)
    assert not works(text)
    assert RetiringSecret.objects.get(key=key).ends_at == ended.ends_at


def test_a_secret_whose_successor_nobody_has_claimed_is_replaced_too(settings: Any) -> None:
    settings.LEAKED_KEYS = "rotate"
    key, _ = a_key()
    rotations.rotate(key=key, by=THE_SYSTEM)
    key.refresh_from_db()
    before = key.public_id
    leaks._rotate(key, by=THE_SYSTEM)
    key.refresh_from_db()
    assert key.public_id != before


def test_what_is_no_key_of_here_is_a_false_positive() -> None:
    key, text = a_key()
    stranger = tokens.generate("dev").text
    body, _, _ = text.rpartition("_")
    other = f"{body[:-1]}{'A' if body[-1] != 'A' else 'B'}"
    forged = f"{other}_{tokens._checksum(other)}"  # a public id that exists, and a secret that is wrong
    labels = [each["label"] for each in send(a_report(stranger, "nothing", "", forged, text[:-1])).json()]
    assert labels == ["false_positive"] * 5
    assert status_of(key) == "active"
    assert not Leak.objects.exists()


def test_a_revoked_key_is_still_a_true_positive(told: list[Announcement]) -> None:
    _, text = a_key()
    send(a_report(text))
    Leak.objects.all().delete()
    told.clear()
    assert send(a_report(text)).json()[0]["label"] == "true_positive"
    assert Leak.objects.get().outcome == "dead"
    assert told == []


@pytest.mark.parametrize(
    ("identifier", "signature", "status"),
    [
        (IDENTIFIER, "", 401),
        (IDENTIFIER, "not base64!", 401),
        (IDENTIFIER, "AAAA", 401),
        ("unknown", None, 401),
        ("", None, 401),
        (IDENTIFIER, "other", 401),
    ],
    # xdist wants the same names in each process, and the identifier is of a key that each makes
    ids=("no signature", "not base64", "no DER", "unknown key", "no key", "another key's"),
)
def test_what_is_wrongly_signed_changes_nothing(identifier: str, signature: str | None, status: int) -> None:
    key, text = a_key()
    body = a_report(text)
    if signature == "other":
        signature = signed(body, ec.generate_private_key(ec.SECP256R1()))
    assert send(body, signature, identifier).status_code == status
    assert status_of(key) == "active"
    assert not Leak.objects.exists()
    tally = AuditTally.objects.get(action="leak_report.refused")
    assert (tally.reason, tally.count) == ("invalid_signature", 1)


def test_a_key_that_is_not_active_any_more_is_not_believed(pinned: ScanningKey) -> None:
    key, text = a_key()
    pinned.active = False
    scanning_keys.change(scanning_key=pinned, by=THE_SYSTEM)
    assert send(a_report(text)).status_code == 401
    assert status_of(key) == "active"


def test_any_flipped_bit_changes_nothing() -> None:
    key, text = a_key()
    body = a_report(text)
    signature = signed(body)

    @given(st.data())
    @examples(max_examples=60, deadline=None)
    def flip(data: st.DataObject) -> None:
        in_body = data.draw(st.booleans(), label="in the body")
        sent, told = bytearray(body), bytearray(signature.encode())
        flipped = sent if in_body else told
        flipped[data.draw(st.integers(0, len(flipped) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        assert send(bytes(sent), told.decode("latin-1")).status_code == 401
        assert status_of(key) == "active"

    flip()
    assert not Leak.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"token":1}]', b"[" * 5000, b'[{"type":"x"}]'])
def test_what_is_signed_and_no_report_is_refused(body: bytes) -> None:
    assert send(body).status_code == 400


def test_reports_have_bounds() -> None:
    assert send(a_report(*["x"] * 1001)).status_code == 400
    assert send(b" " * (2**20 + 1)).status_code == 413
    assert send(b" " * (3 * 2**20)).status_code == 413


def test_nul_in_a_report_is_no_fault() -> None:
    _, text = a_key()
    body = json.dumps([{"token": text, "type": "t", "url": "a\0b", "source": "\0"}]).encode()
    assert send(body).json()[0]["label"] == "true_positive"


@pytest.mark.parametrize("pem", ["", "nonsense", PEM.replace("PUBLIC", "PRIVATE")])
def test_only_public_keys_are_pinned(pem: str) -> None:
    with pytest.raises(ValidationError):
        a_scanning_key(pem, "x")


def test_what_gateways_have_seen_is_acted_on(told: list[Announcement]) -> None:
    key, text = a_key()
    other, _ = a_key()
    wrong = tokens.generate("dev").text
    seen = [Sighting(text=each, source="traffic", place="prompt", request_id="r-1") for each in (text, wrong)]
    assert leaks.note(sightings=seen, by=SYSTEM) == 1
    assert status_of(key) == "active"
    assert leaks.note(sightings=seen, by=SYSTEM) == 1
    assert leaks.handle_all(by=THE_SYSTEM) == 1
    assert status_of(key) == "revoked"
    assert status_of(other) == "active"
    row = Leak.objects.get()
    assert (row.sightings, row.place, row.request_id) == (2, "prompt", "r-1")
    assert leaks.note(sightings=seen, by=SYSTEM) == 1
    assert leaks.handle_all(by=THE_SYSTEM) == 0
    assert len(told) == 2


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    typed = io.StringIO()
    monkeypatch.setattr("sys.stdin", typed)
    return typed


def test_the_command_reads_a_key_from_standard_input(typed: io.StringIO, capsys: Any) -> None:
    key, text = a_key()
    typed.write(f"{text}\n")
    typed.seek(0)
    call_command("report_leak", where="a chat")
    assert status_of(key) == "revoked"
    shown = capsys.readouterr().out
    assert "key revoked" in shown
    assert text not in shown


def test_the_command_says_when_it_is_no_key(typed: io.StringIO) -> None:
    typed.write("nonsense")
    typed.seek(0)
    with pytest.raises(CommandError, match="no key of this installation"):
        call_command("report_leak")


def test_pasting_something_else_in_the_admin_is_refused() -> None:
    with pytest.raises(ActionRefused):
        leaks.report_text(text="pcl_dev_x", source="admin", by=THE_SYSTEM)


def test_the_tenant_and_the_platform_have_an_alert_each() -> None:
    key, text = a_key()
    send(a_report(text))
    alerts = Alert.objects.filter(kind="key_leaked").order_by("tenant_id")
    assert [alert.tenant_id for alert in alerts] == [key.tenant_id, None]
    assert text.split("_")[3] not in str(list(alerts.values()))
