"""Labelled texts with secrets, and texts that nearly have one, made from a seed: no value in them was ever in use.

Secrets are made in the forms of their issuers, or as people and password managers choose them, and put into the kinds
of text in which they are pasted: settings, programs, commands, logs, messages. Near-misses are what stands in the same
places without being one: placeholders, references, types, digests, identifiers, public keys, examples of documentation.
"""

import random
import string
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.guards_bench.secrets_places import (
    DOCUMENTATION,
    ISSUED_PLACES,
    KEY_PLACES,
    PASSWORD_PLACES,
    PLACEHOLDERS,
    PROGRAMS,
    REFERENCES,
    TALK,
    TRANSLATIONS,
    TYPES,
)

_A62 = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_B64 = _A62 + "+/"
_URL = _A62 + "_-"
_WORDS = ("river", "falcon", "orange", "winter", "copper", "meadow", "thunder", "violet", "marble", "tiger", "garden")
_HEADERS = ('{"alg":"HS256","typ":"JWT"}', '{"alg":"RS256","typ":"JWT","kid":"k1"}', '{"typ":"JWT","alg":"ES256"}')
_NAMES = ("app", "billing", "worker", "etl", "reports", "svc_sync", "admin", "deploy")
_HOSTS = ("db.acme.internal", "10.3.7.21", "pg-1.umbrella.example", "cache.acme.example", "mq.umbrella.internal")


class Sample(NamedTuple):
    """`kind`: of the secret; of a near-miss of what it is. `spans`: where secrets stand; a near-miss has none."""

    kind: str
    text: str
    spans: list[tuple[int, int]]


class Maker:
    """Makes values and texts from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def of(self, alphabet: str, length: int) -> str:
        return "".join(self.random.choices(alphabet, k=length))

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def uuid(self) -> str:
        return "-".join(self.of(_HEX, length) for length in (8, 4, 4, 4, 12))

    def password(self) -> str:
        """As people choose them, and as password managers do."""
        word, other = self.random.sample(_WORDS, 2)
        digits = self.of(string.digits, self.random.randint(2, 4))
        sign = self.pick("!", "@", "#", "$", "%", "&", "*", "?", "-", "_")
        return self.pick(
            word.capitalize() + digits + sign,
            word.replace("e", "3").replace("o", "0") + sign + digits,
            word + other.capitalize() + digits,
            self.of(_A62, self.random.randint(8, 14)),
            self.of(_A62 + "!@#%^*-_=+", self.random.randint(10, 20)),
            self.of(string.ascii_lowercase, self.random.randint(9, 13)),
            self.of(string.ascii_lowercase + string.digits, self.random.randint(8, 16)),
        )

    def key(self) -> str:
        """As services make them when their keys have no form."""
        return self.pick(
            self.of(_HEX, 32),
            self.of(_HEX, 40),
            self.of(_HEX, 64),
            self.of(_A62, self.random.randint(20, 48)),
            self.of(_URL, self.random.randint(22, 44)),
            b64encode(self.random.randbytes(32)).decode(),
            self.uuid(),
        )

    def issued(self) -> tuple[str, str]:
        """A token of a known issuer: what it is, and its text."""
        return self.random.choice(_ISSUED)(self)

    def jwt(self) -> str:
        header = self.pick(*_HEADERS)
        payload = f'{{"sub":"{self.of(string.digits, 9)}","iat":17{self.of(string.digits, 8)}}}'
        parts = [urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, payload)]
        return ".".join([*parts, self.of(_URL, 43)])

    def private_key(self) -> str:
        kind = self.pick("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY")
        lines = [self.of(_B64, 64) for _ in range(self.random.randint(3, 20))]
        newline = self.pick("\n", "\n", "\n", "\\n")
        return newline.join([f"-----BEGIN {kind}-----", *lines, self.of(_B64, 30) + "==", f"-----END {kind}-----"])


def _issuer(kind: str, make: Callable[[Maker], str]) -> Callable[[Maker], tuple[str, str]]:
    return lambda maker: (kind, make(maker))


_ISSUED = [
    _issuer("aws_access_key", lambda m: m.pick("AKIA", "ASIA") + m.of(string.ascii_uppercase + "234567", 16)),
    _issuer("github_token", lambda m: m.pick("ghp_", "gho_", "ghs_") + m.of(_A62, 36)),
    _issuer("github_token", lambda m: "github_pat_" + m.of(_A62, 22) + "_" + m.of(_A62, 59)),
    _issuer("gitlab_token", lambda m: "glpat-" + m.of(_URL, 20)),
    _issuer("slack_token", lambda m: f"xoxb-{m.of(string.digits, 12)}-{m.of(string.digits, 13)}-{m.of(_A62, 24)}"),
    _issuer("stripe_key", lambda m: m.pick("sk_live_", "rk_live_", "sk_test_") + m.of(_A62, m.random.choice((24, 99)))),
    _issuer("google_key", lambda m: "AIza" + m.of(_URL, 35)),
    _issuer("openai_key", lambda m: "sk-proj-" + m.of(_URL, 100)),
    _issuer("openai_key", lambda m: "sk-" + m.of(_A62, 20) + "T3Blbk" + "FJ" + m.of(_A62, 20)),
    _issuer("anthropic_key", lambda m: "sk-ant-api03-" + m.of(_URL, 93) + "AA"),
    _issuer("huggingface_token", lambda m: "hf_" + m.of(string.ascii_letters, 34)),
    _issuer("npm_token", lambda m: "npm_" + m.of(_A62, 36)),
    _issuer("sendgrid_key", lambda m: f"SG.{m.of(_URL, 22)}.{m.of(_URL, 43)}"),
    _issuer("twilio_key", lambda m: "SK" + m.of(_HEX, 32)),
    _issuer("digitalocean_token", lambda m: "dop_v1_" + m.of(_HEX, 64)),
    _issuer("databricks_token", lambda m: "dapi" + m.of(_HEX, 32)),
    _issuer("telegram_token", lambda m: f"{m.of('123456789', 10)}:AA{m.of(_URL, 33)}"),
    _issuer("vault_token", lambda m: "hvs." + m.of(_URL, 90)),
    _issuer("shopify_token", lambda m: "shpat_" + m.of(_HEX, 32)),
    _issuer("grafana_token", lambda m: f"glsa_{m.of(_A62, 32)}_{m.of(_HEX, 8)}"),
    _issuer("mailgun_key", lambda m: "key-" + m.of(_HEX, 32)),
    _issuer("pypi_token", lambda m: "pypi-AgEIcHlwaS5vcmc" + m.of(_URL, 120)),
]

_SCHEMES = ("postgres", "postgresql", "mysql", "mongodb+srv", "redis", "amqp", "https", "ftp", "mssql")


def secrets(*, seed: int = 1, each: int = 300) -> Iterator[Sample]:
    """Texts with a secret each: `each` of every group."""
    maker = Maker(seed)
    for _ in range(each):
        yield _placed(maker, "password", maker.password(), PASSWORD_PLACES)
        yield _placed(maker, "key", maker.key(), KEY_PLACES)
        kind, token = maker.issued()
        yield _placed(maker, kind, token, ISSUED_PLACES)
    for _ in range(each // 5):
        yield _placed(maker, "jwt", maker.jwt(), ISSUED_PLACES)
        yield _placed(maker, "private_key", maker.private_key(), ("{}", "key:\n{}\nthanks", 'KEY="{}"'))
        yield _connection(maker)
        yield _basic(maker)


def near_misses(*, seed: int = 2, each: int = 100) -> Iterator[Sample]:
    """Texts that nearly have one: `each` of every group."""
    maker = Maker(seed)
    for _ in range(each):
        for kind, make in _NEAR.items():
            yield Sample(kind, make(maker), [])


def _placed(maker: Maker, kind: str, value: str, places: Sequence[str]) -> Sample:
    before, after = maker.pick(*places).format("\0").split("\0")
    lead = maker.pick("", "", "Please review this:\n", "Why does it fail?\n\n", "```\n", "# config\n")
    start = len(lead) + len(before)
    return Sample(kind, f"{lead}{before}{value}{after}", [(start, start + len(value))])


def _connection(maker: Maker) -> Sample:
    password = maker.of(_A62 + "-_.!", maker.random.randint(8, 20))
    before = f"{maker.pick('DATABASE_URL=', 'url: ', '')}{maker.pick(*_SCHEMES)}://{maker.pick(*_NAMES)}:"
    text = f"{before}{password}@{maker.pick(*_HOSTS)}/{maker.pick('shop', 'main', '')}"
    return Sample("connection_password", text, [(len(before), len(before) + len(password))])


def _basic(maker: Maker) -> Sample:
    value = b64encode(f"{maker.pick(*_NAMES)}:{maker.of(_A62, 12)}".encode()).decode()
    before = "curl -H 'Authorization: Basic "
    return Sample("authorization", f"{before}{value}' https://acme.example", [(len(before), len(before) + len(value))])


def _public_key(maker: Maker) -> str:
    lines = f"{maker.of(_B64, 64)}\n{maker.of(_B64, 64)}"
    return maker.pick(
        f"ssh-rsa AAAAB3NzaC1yc2E{maker.of(_B64, 120)} ada@example.com",
        f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----",
        f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----",
        f"pk_live_{maker.of(_A62, 24)}",
    )


def _digest(maker: Maker) -> str:
    of = maker.pick("commit", "sha256:", "md5sum", "etag", "integrity:", "checksum")
    return f"{of} {maker.of(_HEX, maker.random.choice((32, 40, 64)))}"


def _package(maker: Maker) -> str:
    digest = b64encode(maker.random.randbytes(32)).decode()
    return f"github.com/acme/{maker.pick(*_WORDS)} v1.{maker.of('123', 1)}.0 h1:{digest}"


def _identifier(maker: Maker) -> str:
    places = ("id={}", "request_id: {}", "user {} logged in", '"traceId": "{}"', "GET /orders/{}")
    return maker.pick(*places).format(maker.uuid())


def _in_place(values: Sequence[str]) -> Callable[[Maker], str]:
    return lambda maker: maker.pick(*PASSWORD_PLACES, *KEY_PLACES).format(maker.pick(*values))


def _one_of(texts: Sequence[str]) -> Callable[[Maker], str]:
    return lambda maker: maker.pick(*texts)


_NEAR: dict[str, Callable[[Maker], str]] = {
    "placeholder": _in_place(PLACEHOLDERS),
    "reference": _in_place(REFERENCES),
    "type": _in_place(TYPES),
    "digest": _digest,
    "package": _package,
    "identifier": _identifier,
    "public_key": _public_key,
    "documentation": _one_of(DOCUMENTATION),
    "talk": _one_of(TALK),
    "program": _one_of(PROGRAMS),
    "translation": _one_of(TRANSLATIONS),
}
