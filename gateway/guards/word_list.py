"""Guard `word_list`: words and phrases by category, for tenants without a model that moderates. Pure.

A list knows no context: it finds what is said plainly, and nothing that is paraphrased. Its categories are named as
those of moderation endpoints are; tenants add words of their own, and take out those that their trade needs.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.guards.base import Action, Guard, Guarding, Kind, Rule, Setting, Terms
from gateway.guards.folding import fold

NAME = "word_list"
OWN = "own_words"
PHRASE_MOST = 60
_PER_RULE = 100

CATEGORIES: dict[str, str] = {
    "self_harm": (
        "kill myself|killing myself|end my life|ending my life|want to die|cut myself|cutting myself|"
        "hang myself|suicide method|suicide methods|suicide note|painless suicide|commit suicide|"
        "overdose on purpose|hurt myself"
    ),
    "harassment": (
        "kill yourself|kys|go die|hope you die|worthless piece of shit|piece of shit|stupid bitch|"
        "fucking idiot|fucking moron|fucking retard|dumb bitch|shut the fuck up|go fuck yourself|stupid cunt"
    ),
    "violence": (
        "i will kill you|i'll kill you|i will shoot you|i'll shoot you|going to kill you|gonna kill you|"
        "slit your throat|beat you to death|burn your house|shoot up the school|shoot up a school|"
        "school shooting plan|blow up the building|behead|beheading video"
    ),
    "illicit": (
        "build a bomb|make a bomb|building a bomb|making a bomb|pipe bomb|bomb making|make explosives|"
        "make napalm|make a molotov|cook meth|cooking meth|make meth|synthesize meth|make methamphetamine|"
        "make a nerve agent|make sarin|make ricin|buy stolen credit cards|credit card dump|counterfeit money|"
        "fake passport|hire a hitman|ghost gun"
    ),
    "sexual": (
        "hardcore porn|porn video|porn videos|explicit sex scene|nude photos of|deepfake porn|blowjob|gangbang|bukkake"
    ),
    "sexual_minors": (
        "child porn|child pornography|kiddie porn|underage sex|sex with a minor|sex with minors|"
        "sex with children|nude children|preteen nude|loli hentai|sexualize children"
    ),
    "hate": (
        "gas the jews|heil hitler|white power|white genocide|sieg heil|race war now|subhuman race|"
        "ethnic cleansing is|kill all jews|kill all muslims|kill all gays|kill all blacks|kill all whites|"
        "death to all jews|death to all muslims"
    ),
}
"""By category the phrases, apart by |."""


def rules(guarding: Guarding, terms: Terms) -> Sequence[Rule]:
    """One for each category that the policy names, or all; and for the tenant's own words."""
    chosen = terms.settings.get("categories") or list(CATEGORIES)
    allowed = {normal(each) for each in terms.settings.get("allowed", ())}
    lists = {name: CATEGORIES[name].split("|") for name in chosen if name in CATEGORIES}
    lists[OWN] = list(terms.settings.get("words", ()))
    return [
        rule
        for name, phrases in lists.items()
        if not terms.rules or name in terms.rules
        for rule in _rules(name, [phrase for phrase in map(normal, phrases) if phrase and phrase not in allowed])
    ]


def normal(phrase: str) -> str:
    """A phrase as texts are looked at."""
    return " ".join(fold(phrase).lower().split())


def _rules(name: str, phrases: Sequence[str]) -> Iterator[Rule]:
    longest_first = sorted(set(phrases), key=lambda phrase: (-len(phrase), phrase))
    for at in range(0, len(longest_first), _PER_RULE):
        yield _rule(name, longest_first[at : at + _PER_RULE])


def _rule(name: str, phrases: Sequence[str]) -> Rule:
    """Words of a phrase may be apart by any one or two characters that are not of words."""
    either = "|".join(_form(phrase) for phrase in phrases)
    ascii_only = all(phrase.isascii() for phrase in phrases)
    return Rule(
        guard=NAME,
        name=name,
        scan=f"(?i)(?:{either})" if ascii_only else ".",
        pattern=rf"(?i)(?<!\w)(?:{either})(?!\w)",
        first=2,
    )


def _form(phrase: str) -> str:
    return r"\W{1,2}".join(re.escape(word) for word in phrase.split(" "))


def _check_words(lines: Any) -> None:
    for line in lines:
        phrase = normal(line)
        if not 2 <= len(phrase) + phrase.count(" ") <= PHRASE_MOST:
            raise ValueError(f"{line[:60]!r} has too many or too few characters: 2 to {PHRASE_MOST} can be matched.")


GUARD = Guard(
    name=NAME,
    title="Word list",
    help=(
        "Words and phrases by category, in English, and the tenant's own. It finds what is said plainly; where it "
        "matters, use moderation."
    ),
    actions=tuple(Action),
    rules=rules,
    rule_names=(*CATEGORIES, OWN),
    kinds="categories",
    settings=(
        Setting(
            name="categories",
            title="Categories",
            help="Of the built-in lists; none chosen: all of them.",
            kind=Kind.CHOICES,
            choices=tuple(CATEGORIES),
        ),
        Setting(
            name="words",
            title="Own words",
            help="Words and phrases, one a line, in any case.",
            kind=Kind.LINES,
            most=1000,
            check=_check_words,
        ),
        Setting(
            name="allowed",
            title="Allowed",
            help="Phrases of the built-in lists that are not to count, one a line.",
            kind=Kind.LINES,
            most=500,
        ),
    ),
)
