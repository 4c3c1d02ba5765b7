"""Families of signs, one file each. A sign names a way of speaking, never one known attack."""

from gateway.guards.injection.families import extraction, override, payload, persona, steering, tongues, turns
from gateway.guards.injection.signals import Sign

SIGNALS = (
    *override.FAMILY,
    *tongues.OVERRIDE,
    *persona.FAMILY,
    *tongues.PERSONA,
    *extraction.FAMILY,
    *tongues.EXTRACTION,
    *turns.FAMILY,
    *steering.SIGNALS,
    *payload.SIGNALS,
)
SHAPES = (*turns.SHAPES, *steering.SHAPES, *payload.SHAPES)
SIGNS: tuple[Sign, ...] = (*SIGNALS, *SHAPES)
FAMILIES = tuple(dict.fromkeys(sign.family for sign in SIGNS))
