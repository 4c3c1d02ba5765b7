"""Orders in pieces or in cipher, to be put together by the model."""

import re

from gateway.guards.injection.signals import Shape, signals

_CIPHER = (
    "(?:base ?64|base ?32|rot ?13|caesar|cipher|ciphered|hex|hexadecimal|morse|morse code|binary|encoded|encrypted|"
    "leet ?speak|reversed?|"
    "backwards?|obfuscated|ascii codes?)"
)

SIGNALS = signals(
    "payload",
    (0.45, 0.8, "(?:decode|decrypt|decipher|unscramble)~(?:and|then) (?:\\w+ )?(?:follow|execute|do|obey|answer|"
     "respond|act|run|perform|comply|reply)"),
    (0.45, 0.75, f"(?:follow|execute|obey|carry out|act on|comply with|answer|respond to) (?:\\w+ ){{0,3}}{_CIPHER} "
     f"(?:\\w+ )?(?:instructions?|message|text|"
     "command|string|request|question|prompt|order)"),
    (0.35, 0.7, "(?:concatenate|combine|join|merge|put together|assemble) (?:\\w+ ){0,3}(?:strings?|parts?|"
     "variables?|pieces|fragments|letters|tokens)"
     "~(?:execute|answer|follow|respond|obey|say|do what)"),
    (0.3, 0.6, f"(?:answer|respond|reply|output|speak|response) (?:\\w+ ){{0,2}}in (?:\\w+ )?{_CIPHER}"),
)  # fmt: skip

SHAPES = (
    Shape(
        family="payload",
        anchors=('="', "='", '= "', "= '"),
        pattern=re.compile(r"(?:\b\w{1,12} ?= ?[\"'][^\"'\n]{1,80}[\"'][\s;,.]{1,4}(?:and )?){2}"),
        weight=0.3,
        strict=0.65,
    ),
    Shape(
        family="payload",
        anchors=("+ $", "+$"),
        pattern=re.compile(r"\$\w{1,8} ?\+ ?\$\w{1,8}\b"),
        weight=0.25,
        strict=0.5,
    ),
)
