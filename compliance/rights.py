"""What a person may ask for, and what each right needs. Pure."""

from enum import StrEnum


class Right(StrEnum):
    """Rights of the GDPR, with their articles, and of the CCPA."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    PORTABILITY = "portability"
    OBJECTION = "objection"
    WITHDRAWAL = "withdrawal"
    OPT_OUT = "opt_out"
    LIMIT = "limit"

    @property
    def label(self) -> str:
        return LABELS[self]


LABELS = {
    Right.ACCESS: "Access",
    Right.RECTIFICATION: "Rectification",
    Right.ERASURE: "Erasure",
    Right.RESTRICTION: "Restriction",
    Right.PORTABILITY: "Portability",
    Right.OBJECTION: "Objection",
    Right.WITHDRAWAL: "Withdrawal of consent",
    Right.OPT_OUT: "Opt-out of sale and sharing",
    Right.LIMIT: "Limit use of sensitive data",
}

WITHOUT_IDENTITY = frozenset({Right.WITHDRAWAL, Right.OPT_OUT, Right.LIMIT})
"""These must be as easy as consenting was (GDPR 7(3)), or must not ask for proof (11 CCR § 7026(d), § 7027(e)). They
need no review either: nobody but the person loses by them."""

EXPORTING = frozenset({Right.ACCESS, Right.PORTABILITY})
"""Fulfilled with a file."""
