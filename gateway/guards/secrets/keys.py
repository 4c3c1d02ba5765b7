"""Keys with a form of their own: this installation's, private keys, signed tokens. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator

from gateway.guards.base import Around, Rule

_PEM_BODY = r"[\s\"',+\\nr]{0,14}(?:[A-Za-z0-9+/]{8}|Proc-Typ|Version:|Comment:)"
_JOSE = re.compile(rb'"(?:alg|enc|typ|kid|cty|x5t|jku)"\s*:')
_LONGEST_HEADER = 60


def rules(guard: str) -> Iterator[Rule]:
    yield _own_keys(guard)
    yield from _private_keys(guard)
    yield from _signed_tokens(guard)


def _own_keys(guard: str) -> Rule:
    """Decided before the checksum comes, so that a mistyped one is found too: it holds most of the secret."""
    return Rule(
        guard=guard,
        name="gateway_key",
        scan=r"pcl_(?:dev|staging|production)_[0-9A-Za-z]{12}_",
        pattern=r"(?<![0-9A-Za-z])pcl_(?:dev|staging|production)_[0-9A-Za-z]{12}_[0-9A-Za-z]{30}",
        tail="[0-9A-Za-z_]",
        first=30,
    )


def _private_keys(guard: str) -> Iterator[Rule]:
    """From BEGIN to END, or where it is cut off as far as it goes."""
    ends = {"(?:(?:RSA|EC|DSA|OPENSSH|ENCRYPTED|ANY|SSH2 ENCRYPTED|SSH2) )?PRIVATE KEY": "KEY-----"}
    ends["PGP PRIVATE KEY BLOCK"] = "BLOCK-----"
    for title, until in ends.items():
        yield Rule(
            guard=guard,
            name="private_key",
            scan=rf"-----BEGIN {title}-----",
            pattern=rf"-----BEGIN {title}-----{_PEM_BODY}",
            tail=r"[A-Za-z0-9+/=\s\\:,.()\"'-]",
            until=until,
            first=30,
        )
    yield Rule(
        guard=guard,
        name="private_key",
        scan=r"AGE-SECRET-KEY-1[A-Z0-9]{20}|xprv[1-9A-HJ-NP-Za-km-z]{20}",
        pattern=r"(?<![A-Za-z0-9])(?:AGE-SECRET-KEY-1[A-Z0-9]{44}|xprv[1-9A-HJ-NP-Za-km-z]{50})",
        tail="[A-Za-z0-9]",
        first=30,
    )


def _signed_tokens(guard: str) -> Iterator[Rule]:
    """JSON Web Tokens and encrypted ones (RFC 7519, 7516), by their header; with nothing after it, it is no token."""
    for form, tail in (
        (rf"eyJ[A-Za-z0-9_-]{{12,{_LONGEST_HEADER - 4}}}\.[A-Za-z0-9_-]{{2}}", "[A-Za-z0-9_.=-]"),
        (rf"eyJ[A-Za-z0-9_-]{{{_LONGEST_HEADER - 3}}}[A-Za-z0-9_-]{{4}}", "[A-Za-z0-9_.=-]"),
    ):
        yield Rule(
            guard=guard,
            name="jwt",
            scan=r"eyJ[A-Za-z0-9_-]{12}",
            pattern=rf"(?<![A-Za-z0-9]){form}",
            check=_has_header,
            tail=tail,
            first=25,
        )


def _has_header(value: str, around: Around) -> float:
    header = value.partition(".")[0][:_LONGEST_HEADER]
    try:
        text = base64.urlsafe_b64decode(header[: len(header) // 4 * 4])
    except (binascii.Error, ValueError):
        return 0.0
    return 0.95 if _JOSE.search(text) else 0.0
