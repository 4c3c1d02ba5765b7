"""The sandbox's prose: sentences in an order chosen by a seed, in pieces of one o200k_base token each.

Every word and full stop below is one token, alone and in its place (a test proves it), so that an answer of
any number of tokens is a slice and nothing is tokenized to make it.
"""

import re
from functools import cache

from gateway.tokens import tokenizer

ENCODING = "o200k_base"

# A prime number of sentences: any step through them visits all before one repeats.
SENTENCES = (
    "The ferry leaves the harbor before the morning fog lifts.",
    "A careful reader marks the page and reads it again.",
    "Our kitchen window looks over a row of small gardens.",
    "The library keeps its oldest maps in a cool room.",
    "Every winter the lake freezes and the children skate there.",
    "A good question often matters more than a quick answer.",
    "The baker opens the shop while the street is quiet.",
    "Two sisters walked along the river until the rain began.",
    "The train crosses the bridge just after the sun rises.",
    "His grandfather repaired clocks in a room above the market.",
    "The team wrote the plan first and the report later.",
    "A narrow path leads from the village to the coast.",
    "The orchard gives more apples than the family can carry.",
    "Someone left a blue coat on the bench last week.",
    "The museum lends its paintings to schools in the north.",
    "Fresh bread and strong coffee make a good simple breakfast.",
    "The storm passed and the harbor was calm by evening.",
    "Her notes describe each plant by its leaves and flowers.",
    "The old mill still turns when the river is high.",
    "A small lamp is enough to read by at night.",
    "The committee met twice and agreed on a shorter text.",
    "The birds return to the marsh when water is warm.",
    "The engineer tested each valve before the pump was started.",
    "Music from the square could be heard across the valley.",
    "The letter took nine days to cross the high mountains.",
    "A patient teacher explains the same idea in three ways.",
    "The farmer counts the sheep at the gate every evening.",
    "Clear rules help people who have never met work together.",
    "The old map shows a road that no longer exists.",
    "Rain filled the barrels and the garden was green again.",
    "The captain checked the weather twice and waited for dawn.",
)
SENTENCE_TOKENS = 11


def prose(seed: int, *, tokens: int) -> tuple[str, ...]:
    """Return text of exactly `tokens` tokens, one piece per token."""
    cycle = _cycle(seed)
    repeats = -(-tokens // len(cycle))
    return _start((cycle * repeats)[:tokens])


def prose_of_length(seed: int, *, chars: int) -> tuple[str, ...]:
    """Return text of exactly `chars` characters (at least one), one piece per token."""
    cycle = _cycle(seed)
    # One more than asked for: the space before the first word is dropped.
    repeats, rest = divmod(chars + 1, sum(map(len, cycle)))
    return _start(cycle * repeats + _first_characters(cycle, rest))


def token_pieces(text: str) -> tuple[str, ...]:
    """Split any text into one piece per token.

    A character that takes several tokens comes with the last of them and the others are empty, so that any
    number of leading pieces is valid text.
    """
    codec = tokenizer(ENCODING)
    pieces: list[str] = []
    pending: list[int] = []
    for token in codec.encode(text):
        pending.append(token)
        piece = codec.decode(pending)
        if piece is not None:
            pending.clear()
        pieces.append(piece or "")
    return tuple(pieces)


@cache
def _pieces_of(sentence: str) -> tuple[str, ...]:
    return tuple(re.findall(r" \w+|\.", f" {sentence}"))


def _cycle(seed: int) -> tuple[str, ...]:
    """Return every sentence once, in the order of the seed, each piece with the space before it."""
    count = len(SENTENCES)
    return _cycle_from(seed % count, step=1 + seed // count % (count - 1))


@cache
def _cycle_from(first: int, *, step: int) -> tuple[str, ...]:
    order = ((first + index * step) % len(SENTENCES) for index in range(len(SENTENCES)))
    return tuple(piece for number in order for piece in _pieces_of(SENTENCES[number]))


def _start(pieces: tuple[str, ...]) -> tuple[str, ...]:
    return (pieces[0][1:], *pieces[1:]) if pieces else ()


def _first_characters(pieces: tuple[str, ...], chars: int) -> tuple[str, ...]:
    """Return the pieces of the first `chars` characters; half a word may take more tokens than the word."""
    for index, piece in enumerate(pieces):
        if len(piece) >= chars:
            return pieces[:index] + token_pieces(piece[:chars])
        chars -= len(piece)
    return pieces
