"""Who asks: everything that a request needs to know of its key, as one frozen value."""

import time
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address

from billing.charging import Charging
from billing.contracts import RequestLimits
from gateway.guards.base import Guarding

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTerms:
    """On what terms a tenant's content is stored: why, whether only redacted, and how large one may be."""

    purpose: str
    redacted: bool
    most_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A secret of a key with the key's tenant and application, their policy, and the meters that it is charged to.

    `expires_at` (epoch seconds): when the key expires, or, of a secret that was replaced, when the overlap ends.
    `changes_at` (epoch seconds): when a date in that policy makes another value of it. `tags`: the declared attribution
    tags. `pseudonym_salt`: see accounts/pseudonyms.py. `processing_purpose`: what end users must have consented to for
    their requests to be answered; empty where no consent is needed. `content`: on what terms content is stored;
    None where it is not. `guarding`: the guard policy; None where no guard looks.
    """

    key_id: int
    public_id: str
    digest: bytes
    pepper_version: int
    tenant_id: int
    tenant: str
    application_id: int
    environment: str
    active: bool
    has_tier: bool
    expires_at: float
    scopes: frozenset[str]
    models: frozenset[str]
    networks: tuple[Network, ...]
    limits: RequestLimits
    charging: Charging
    changes_at: float
    tags: tuple[str, ...]
    pseudonym_salt: bytes = field(repr=False)
    processing_purpose: str = ""
    content: ContentTerms | None = None
    guarding: Guarding | None = None

    @property
    def usable(self) -> bool:
        """Whether key, application and tenant are active and the key has not expired."""
        return self.active and time.time() < self.expires_at

    def may_use(self, model: str) -> bool:
        return not self.models or model in self.models

    def may_come_from(self, address: str) -> bool:
        """Whether `address` lies in one of the key's networks, if it has any."""
        if not self.networks:
            return True
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)
