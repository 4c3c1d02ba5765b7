"""Who has a dump of all three databases, and the source code, has no key, no credential, no content, and no way in."""

import base64
import re
import secrets
import subprocess
import uuid

import pytest
from django.conf import settings
from django.test import Client

from accounts import claims, tokens
from accounts.actions import rotations
from accounts.models import ApiKey, SecretClaim
from compliance import sealed, signing
from compliance.actions import signing_keys
from compliance.backups import postgres
from compliance.keyring import signers, store
from gateway.actions import credentials
from gateway.leaks import finding
from tests.factories import THE_SYSTEM, a_key, a_provider
from tests.factories.alerts import an_endpoint
from tests.factories.compliance import a_consent, a_content_policy, a_subject, a_transcript
from tests.factories.control import PASSWORD, an_admin

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("databases")]

DATABASES = ("default", "ledger", "keys")
CANDIDATE = re.compile(rb"[A-Za-z0-9_-]{20,100}")
MOST_TRIED = 20_000


def dump_of(alias: str) -> bytes:
    """A dump in SQL, of everything that is in a database now, sessions and caches included."""
    params = postgres.params_of(alias)
    with postgres.connected(params) as connection:
        (program,) = postgres._command("pg_dump", for_server=connection)
    return subprocess.run([program, f"--dbname={postgres.url_of(params)}"], check=True, capture_output=True).stdout


def forms_of(secret: bytes) -> dict[str, bytes]:
    """How a secret may lie in a dump: as it is, in hexadecimal, in base64 (wherever it begins), turned around."""
    forms = {"plain": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode(), "back": secret[::-1]}
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + secret)
        inside = coded[4 if shift else 0 : -4]
        forms[f"base64 {shift}"] = inside
        forms[f"urlsafe base64 {shift}"] = inside.replace(b"+", b"-").replace(b"/", b"_")
    return forms


@pytest.fixture
def planted() -> dict[str, bytes]:
    """A secret in each place that holds one, by what it is."""
    key, text = a_key()
    rotating, old = a_key()
    claim = rotations.rotate(key=rotating, by=THE_SYSTEM)
    replaced, in_use = (f"sk-{secrets.token_hex(16)}" for _ in range(2))
    provider = a_provider("http://127.0.0.1:9/v1", credential=replaced)
    credentials.use_untested(provider=provider, credential=in_use, by=THE_SYSTEM)
    _, webhook = an_endpoint("https://hooks.example/", tenant=key.tenant)
    ada = a_subject(key.tenant, f"ada-{uuid.uuid4()}@acme.example")
    a_content_policy(key.tenant)
    a_consent(ada)
    content = f"my diagnosis is {secrets.token_hex(16)}"
    a_transcript(ada, content)
    signing_keys.make_signing_key(by=THE_SYSTEM)
    signing.sign({}, kind="receipt")
    private = signers.current()
    assert private is not None
    browser = Client()
    browser.force_login(an_admin())
    link = claims.url_of(claim.pk).rpartition("/")[2]
    assert claim.secret is not None
    waiting = sealed.unseal(claim.secret, context=claims.secret_place(claim.public_id))
    return {
        "API key": text.encode(),
        "its secret part": text.split("_")[3].encode(),
        "retiring secret": old.split("_")[3].encode(),
        "claim link": link.encode(),
        "secret that waits to be claimed": waiting,
        "provider credential": replaced.encode(),
        "credential in use": in_use.encode(),
        "webhook secret": webhook.encode(),
        "webhook secret, decoded": base64.b64decode(webhook.removeprefix("whsec_") + "=="),
        "content": content.encode(),
        "signing key": private.private_bytes_raw(),
        "key of a person": store.subject_keys(key.tenant_id, [ada.surrogate])[ada.surrogate].key,
        "key of a tenant": next(iter(store.tenant_keys(key.tenant_id).values())),
        "password": PASSWORD.encode(),
        "session": browser.cookies["sessionid"].value.encode(),
        **{f"root key {version}": value for version, value in settings.ROOT_KEYS.items()},
        **{f"pepper {version}": value for version, value in settings.KEY_PEPPERS.items()},
        "SECRET_KEY": settings.SECRET_KEY.encode(),
    }


def test_a_dump_opens_nothing(planted: dict[str, bytes]) -> None:
    dump = b"".join(map(dump_of, DATABASES))
    assert ApiKey.objects.latest("id").public_id.encode() in dump, "the dump holds what was just planted"
    assert forms_of(signers.public_keys()[-1])["hex"] in dump, "bytes are found as they lie in a dump"
    lying_about = {
        f"{what}, {form}"
        for what, secret in planted.items()
        for form, coded in forms_of(secret).items()
        if len(coded) >= 8 and coded in dump
    }
    assert lying_about == set()
    assert finding.keys_in(dump) == []

    candidates = sorted(set(CANDIDATE.findall(dump)), key=lambda each: (-len(each), each))[:MOST_TRIED]
    assert [each for each in candidates if tokens.parse(each.decode())] == []
    assert [each for each in candidates if _opens_a_link(each.decode())] == []
    sessions = [each.decode() for each in candidates if len(each) in (32, 40)]
    assert [each for each in sessions if _signs_in(each)] == []


def _opens_a_link(candidate: str) -> bool:
    return SecretClaim.objects.filter(link_hash=claims.hash_of(candidate)).exists()


def _signs_in(session_key: str) -> bool:
    browser = Client()
    browser.cookies["sessionid"] = session_key
    return "_auth_user_id" in browser.session
