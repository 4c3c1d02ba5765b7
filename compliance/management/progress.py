"""A bar that says how far a long command is, how fast it goes, and how much longer it takes."""

from time import monotonic

from django.core.management.base import OutputWrapper

WIDTH = 30
EVERY_S = 0.2
EVERY_S_WITHOUT_TERMINAL = 10.0


class Bar:
    """Drawn in place on a terminal; elsewhere a line now and then, so that logs stay short."""

    def __init__(self, out: OutputWrapper, *, total: int, unit: str) -> None:
        self._out, self._total, self._unit = out, total, unit
        self._is_terminal = out.isatty()
        self._began = monotonic()
        self._drawn = self._began

    def show(self, done: int) -> None:
        """Draws the bar, unless that was done a moment ago."""
        now = monotonic()
        due = now - self._drawn >= (EVERY_S if self._is_terminal else EVERY_S_WITHOUT_TERMINAL)
        if due or done >= self._total:
            self._drawn = now
            self._write(self.text(done, seconds=now - self._began), is_last=done >= self._total)

    def grow(self, total: int) -> None:
        self._total = total

    def text(self, done: int, *, seconds: float) -> str:
        filled = WIDTH * done // self._total if self._total else WIDTH
        rate = done / seconds if seconds else 0
        left = (self._total - done) / rate if rate else 0
        bar = "█" * filled + "░" * (WIDTH - filled)
        return f"{bar} {done:,} of {self._total:,} {self._unit} · {rate:,.0f}/s · {_clock(left)} left"

    def _write(self, text: str, *, is_last: bool) -> None:
        # The rest of a longer text that stood there is wiped by the terminal's own sequence.
        shown = f"\r{text}\x1b[K" + ("\n" if is_last else "") if self._is_terminal else f"{text}\n"
        self._out.write(shown, ending="")
        self._out.flush()


class LazyBar:
    """A bar whose total is known once the work is under way, and may grow."""

    def __init__(self, out: OutputWrapper, *, unit: str) -> None:
        self._bar = Bar(out, total=0, unit=unit)

    def show(self, done: int, total: int) -> None:
        if total:  # a bar of nothing would be drawn as full
            self._bar.grow(total)
            self._bar.show(done)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
