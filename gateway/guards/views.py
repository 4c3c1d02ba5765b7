"""A text as rules see it, and where each of its characters stands in the text as it is."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


class View:
    """A normalised or decoded text with its way back.

    Args:
        text: what rules are tried on.
        starts, ends: of each character, where what it stands for begins and ends; both rise. None: it stands at its own
            place.
        begin: characters before this one are only there to be looked back at.
        margin: a character is certain when this many characters behind what it stands for are known.
        run: whether all of it is encoded: a tail goes on through the rest of the run.
        layers: where in the text as it is the escapes begin that are undone in it, for each time that some were. A
            match has one of each, or it is none of this view.
        also: of each in the last of `layers`, with which characters it is written, for `tail_of`.
        shrinks: whether more may stand behind its characters than they are; else each stands at its own place.
        dense, limits: see `matching.dense_places`, once it is known.
        source: the text as it was, where this is its folded form.
    """

    __slots__ = (
        "also",
        "begin",
        "dense",
        "ends",
        "layers",
        "limits",
        "margin",
        "run",
        "shrinks",
        "source",
        "starts",
        "text",
    )

    def __init__(
        self,
        text: str,
        starts: Sequence[int] | None = None,
        ends: Sequence[int] | None = None,
        *,
        begin: int = 0,
        margin: int = 0,
        also: Sequence[str] = (),
        run: bool = False,
        layers: tuple[Sequence[int], ...] = (),
        source: str | None = None,
    ) -> None:
        self.text = text
        self.starts = starts
        self.shrinks = starts is not None
        self.dense: Sequence[int] | None = None
        self.limits: Sequence[int] = ()
        self.ends = ends
        self.begin = begin
        self.margin = margin
        self.also = also
        self.run = run
        self.layers = layers
        self.source = source

    @property
    def last(self) -> int:
        """Matches begin before this character."""
        return self.index(min(layer[-1] for layer in self.layers) + 1) if self.layers else len(self.text)

    def expand(self) -> None:
        """Makes `starts` and `ends`, where they are only calculated."""

    def touches(self, start: int, end: int) -> bool:
        """Whether what stands from `start` to `end` of the text as it is has an escape of each layer."""
        return all(bisect_left(layer, start) < bisect_left(layer, end) for layer in self.layers)

    def written_with(self, start: int, end: int) -> str:
        """With which characters escapes from `start` to `end` are written, beside letters and digits."""
        if not self.layers or not self.also:
            return ""
        layer = self.layers[-1]
        return "".join(sorted(set(self.also[bisect_left(layer, start) : bisect_left(layer, end)])))

    def start(self, index: int) -> int:
        """Where what the character stands for begins."""
        return index if self.starts is None else self.starts[index]

    def end(self, index: int) -> int:
        """Where what the character stands for ends."""
        return index + 1 if self.ends is None else self.ends[index]

    def written(self, first: int, last: int) -> str:
        """The characters from `first` to before `last` as they stood, where this is a folded form; else nothing."""
        return "" if self.source is None else self.source[self.start(first) : self.end(last - 1)]

    def index(self, at: int) -> int:
        """The first character that stands for something from `at` on."""
        if self.starts is None:
            return min(max(at, 0), len(self.text))
        return bisect_left(self.starts, at)

    def before(self, at: int) -> int:
        """How many characters stand for something that ends by `at`."""
        if self.ends is None:
            return min(max(at, 0), len(self.text))
        return bisect_right(self.ends, at)
