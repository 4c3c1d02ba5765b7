"""Injection: texts that tell the model to leave its instructions. Rules find some of it, never all."""

from gateway.guards.base import Action, Guard, Kind, Setting
from gateway.guards.injection.families import FAMILIES
from gateway.guards.injection.judge import judge, quiet
from gateway.guards.injection.scanner import warm
from gateway.guards.injection.tools import NAME, RULE

GUARD = Guard(
    name=NAME,
    title="Prompt injection",
    help=(
        "Looks for orders that would steer the model, in clear and encoded, in every text but the application's own; "
        "in what tools return more strictly. In answers, for calls of tools that are not allowed. It finds some "
        "attacks, not all: do not let a model do what the person who asks it may not do."
    ),
    actions=(Action.LOG, Action.FLAG, Action.BLOCK),
    judge=judge,
    quiet=quiet,
    prepare=warm,
    rule_names=(*FAMILIES, RULE),
    settings=(
        Setting(
            name="tools",
            title="tools that may be called",
            help="Names, one a line; search_* allows all that begin so. None: all.",
            kind=Kind.LINES,
        ),
        Setting(
            name="delimiters",
            title="mark what tools return",
            help="Marks around the results of tools, and a word to the model that data stands within, not orders.",
            kind=Kind.FLAG,
            default=False,
        ),
    ),
)
