"""The regimes that everybody has, as data. Tenants add their own as rows (`compliance.models.Regime`). Pure.

Sources: GDPR (Regulation (EU) 2016/679), article 12(3), with Regulation (EEC, Euratom) No 1182/71 for the counting; the
United Kingdom's GDPR and Data Protection Act 2018, as the ICO explains them; California's CCPA Regulations, 11 CCR
§ 7021 (10 business days, 45 days and 45 more, counted from receipt "regardless of time required to verify"), § 7026(f)
and § 7027(g) (15 business days). Holidays differ by place, so none are built in: without them a deadline is never late.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from compliance.deadlines import Regime, Term, Unit
from compliance.rights import Right

_OPT_OUT = Term(15, Unit.BUSINESS_DAYS)

BUILT_IN: Mapping[str, Regime] = MappingProxyType(
    {
        regime.slug: regime
        for regime in (
            Regime(
                slug="gdpr",
                name="GDPR",
                answer=Term(1, Unit.MONTHS),
                extension=Term(2, Unit.MONTHS),
                moves=True,
            ),
            Regime(
                slug="uk_gdpr",
                name="UK GDPR",
                answer=Term(1, Unit.MONTHS),
                extension=Term(2, Unit.MONTHS),
                moves=True,
                pauses_for_clarification=True,
            ),
            Regime(
                slug="ccpa",
                name="CCPA",
                acknowledge=Term(10, Unit.BUSINESS_DAYS),
                answer=Term(45, Unit.DAYS),
                extension=Term(45, Unit.DAYS),
                special=MappingProxyType({Right.OPT_OUT: _OPT_OUT, Right.LIMIT: _OPT_OUT}),
            ),
        )
    }
)
DEFAULT = "gdpr"


def as_json(regime: Regime) -> dict[str, Any]:
    """A regime as a request keeps it: what was in force when it arrived stays in force for it."""
    return {
        "slug": regime.slug,
        "name": regime.name,
        "answer": _term(regime.answer),
        "acknowledge": _term(regime.acknowledge),
        "extension": _term(regime.extension),
        "special": {right.value: _term(term) for right, term in regime.special.items()},
        "weekend": sorted(regime.weekend),
        "holidays": sorted(day.isoformat() for day in regime.holidays),
        "moves": regime.moves,
        "pauses_for_identity": regime.pauses_for_identity,
        "pauses_for_clarification": regime.pauses_for_clarification,
    }


def from_json(kept: Mapping[str, Any]) -> Regime:
    """What `as_json` made."""
    return Regime(
        slug=kept["slug"],
        name=kept["name"],
        answer=Term(kept["answer"][0], Unit(kept["answer"][1])),
        acknowledge=_from(kept["acknowledge"]),
        extension=_from(kept["extension"]),
        special={Right(right): Term(count, Unit(unit)) for right, (count, unit) in kept["special"].items()},
        weekend=frozenset(kept["weekend"]),
        holidays=frozenset(date.fromisoformat(day) for day in kept["holidays"]),
        moves=kept["moves"],
        pauses_for_identity=kept["pauses_for_identity"],
        pauses_for_clarification=kept["pauses_for_clarification"],
    )


def _term(term: Term | None) -> list[Any] | None:
    return [term.count, term.unit.value] if term else None


def _from(kept: list[Any] | None) -> Term | None:
    return Term(kept[0], Unit(kept[1])) if kept else None
