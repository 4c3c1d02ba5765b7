"""Which meters a request is charged to: those of every request of a key, and those that depend on the request. Pure."""

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from billing.contracts import MeterSet, MeterSpec

SEPARATE = "#"
"""Stands in a meter's name before the value that it is for; as the last character, it is for all values together."""

NOBODY = "-"
"""In the place of an end user where the request names none: all such requests share one meter."""

TAG_VALUE_LENGTH = 64
"""Longer values of a tag are cut."""

COMBINATIONS_KEPT = 4096

Each = Literal["", "end_user", "model", "tag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A limit that depends on the request: on what it must be (empty: whatever), and on whose meter counts it."""

    spec: MeterSpec
    model: str = ""
    end_user: str = ""
    tag: str = ""
    tag_value: str = ""
    each: Each = ""

    def meter(self, facts: "Facts") -> MeterSpec | None:
        """The meter for a request, or None where the rule is not for it."""
        value = facts.tags.get(self.tag, "") if self.tag else ""
        if (
            (self.model and self.model != facts.model)
            or (self.end_user and self.end_user != facts.end_user)
            or (self.tag and not value)
            or (self.tag_value and self.tag_value != value)
        ):
            return None
        if not self.each:
            return self.spec
        own = {"end_user": facts.end_user or NOBODY, "model": value_key(facts.model), "tag": value_key(value)}
        return replace(self.spec, name=f"{self.spec.name}{SEPARATE}{own[self.each]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the meters of a request may depend on. `end_user` is a surrogate; `tags` are declared ones only."""

    model: str
    end_user: str
    tags: Mapping[str, str]


class Charging:
    """The meters of one key's requests."""

    def __init__(self, fixed: tuple[MeterSpec, ...], rules: tuple[Rule, ...] = ()) -> None:
        self._fixed = fixed
        self._rules = rules
        self._whole = MeterSet(fixed)
        self._combinations: OrderedDict[tuple[str, ...], MeterSet] = OrderedDict()
        self._by_model = any(rule.model or rule.each == "model" for rule in rules)
        self._by_end_user = any(rule.end_user or rule.each == "end_user" for rule in rules)
        self._tags = tuple(sorted({rule.tag for rule in rules if rule.tag}))

    @property
    def whole(self) -> MeterSet:
        """The meters of every request, whatever it is."""
        return self._whole

    def of(self, facts: Facts) -> MeterSet:
        """The meters of a request; equal requests get the same value."""
        if not self._rules:
            return self._whole
        key = (
            facts.model if self._by_model else "",
            facts.end_user if self._by_end_user else "",
            *(facts.tags.get(tag, "") for tag in self._tags),
        )
        known = self._combinations.get(key)
        if known is None:
            depending = (rule.meter(facts) for rule in self._rules)
            known = self._combinations[key] = MeterSet((*self._fixed, *filter(None, depending)))
            if len(self._combinations) > COMBINATIONS_KEPT:
                self._combinations.popitem(last=False)
        return known


def shared(meters: MeterSet, *, name: str) -> MeterSet:
    """The same meters, but for the separate one of that name the one that is for all values together."""
    return MeterSet(tuple(_shared(spec) if spec.name == name else spec for spec in meters.specs))


def without_refusal(meters: MeterSet, *, budgets: frozenset[str]) -> MeterSet:
    """The same meters, of which those budgets (by name) count and do not refuse."""
    return MeterSet(tuple(replace(spec, soft=True) if spec.name in budgets else spec for spec in meters.specs))


def value_key(value: str) -> str:
    """A value of a tag, or a model's name, as meter names carry it: 24 characters (BLAKE2b, RFC 7693)."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=15).digest()
    return base64.b32encode(digest).decode().lower()


def _shared(spec: MeterSpec) -> MeterSpec:
    prefix, found, _ = spec.name.partition(SEPARATE)
    return replace(spec, name=prefix + SEPARATE) if found else spec
