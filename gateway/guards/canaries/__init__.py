"""Canaries: marks in what the application tells the model, and these instructions themselves, in answers."""

from gateway.guards.base import Action, Direction, Guard, Kind, Setting
from gateway.guards.canaries.judge import judge, live, quiet
from gateway.guards.canaries.leakage import RULE as INSTRUCTIONS
from gateway.guards.canaries.rules import NAME, RULE, TOKEN_LEAST, rules


def _check_tokens(tokens: list[str]) -> None:
    if any(len(token) < TOKEN_LEAST for token in tokens):
        raise ValueError(f"each is of at least {TOKEN_LEAST} characters, so that no text holds it by chance.")


GUARD = Guard(
    name=NAME,
    title="Canaries",
    help=(
        "Looks in answers for marks that stand in the instructions of the application and nowhere else, in every "
        "encoding: an answer that holds one tells what it was told. The gateway can put one into each conversation, or "
        "the application puts in its own."
    ),
    actions=(Action.LOG, Action.FLAG, Action.BLOCK),  # without the mark, the rest would still be told
    directions=frozenset({Direction.ANSWER}),
    rules=rules,
    live=live,
    judge=judge,
    quiet=quiet,
    rule_names=(RULE, INSTRUCTIONS),
    default=Action.BLOCK,
    settings=(
        Setting(
            name="insert",
            title="put one into each conversation",
            help="Behind the last of the application's own instructions; requests without any get none.",
            kind=Kind.FLAG,
            default=False,
        ),
        Setting(
            name="tokens",
            title="canaries of the application",
            help="What it puts into its instructions itself, one a line.",
            kind=Kind.LINES,
            most=100,
            check=_check_tokens,
        ),
        Setting(
            name="hold",
            title="keep streams back until they are complete",
            help="Some codes, and instructions in pieces, only show in a whole answer. Without this, a stream that "
            "holds them ends in an error when it has gone out.",
            kind=Kind.FLAG,
            default=False,
        ),
        Setting(
            name="instructions",
            title="find the instructions themselves",
            help="Nine or ten words in a row, or a good part of all. Not where answers may quote what they were told.",
            kind=Kind.FLAG,
            default=False,
        ),
    ),
)
