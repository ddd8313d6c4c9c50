"""Tells of a demo while it runs: a page that is redrawn on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from examples.demo.changes import changes
from examples.demo.page import View, page
from examples.demo.recorder import Recorder
from examples.demo.recording import Sample
from examples.demo.scenes import Scene
from scaler.cli import words
from scaler.cli.screen import Screen

LINE_SECONDS = 5.0

Told = Callable[[Recorder], None]


@contextmanager
def telling(screen: Screen, scenes: Sequence[Scene], place: str) -> Iterator[Told]:
    """What is to be called after each sample. Beside a JSON document the lines go to standard error."""
    if not screen.live:
        yield Lines(screen.tell if screen.json else lambda line: screen.lines([line]))
        return
    with screen.redrawn() as live:

        def redraw(recorder: Recorder) -> None:
            samples, state = recorder.recording.samples, recorder.state
            if samples and state is not None:
                view = View(scenes=scenes, samples=samples, state=state, place=place)
                live.update(page(view), refresh=True)

        yield redraw


class Lines:
    """A line now and then, and one for each change of the size."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._written_at = -LINE_SECONDS
        self._changes = 0

    def __call__(self, recorder: Recorder) -> None:
        """Write what is new."""
        samples = recorder.recording.samples
        if not samples:
            return
        known = changes(samples)
        for change in known[self._changes :]:
            self._write(str(change))
        self._changes = len(known)
        if samples[-1].at_seconds - self._written_at >= LINE_SECONDS:
            self._written_at = samples[-1].at_seconds
            self._write(line(samples[-1]))


def line(sample: Sample) -> str:
    """One sample: ` 1:05  ramp     4.1/s, 4 workers × cache 28, backlog 3, 92MiB of 128MiB, 131 turns answered`."""
    minutes, seconds = divmod(int(sample.at_seconds), 60)
    cache = f" × cache {sample.size.cache}" if sample.size is not None and sample.size.cache is not None else ""
    figures = (
        f"{sample.offered_per_second:.1f}/s",
        f"{sample.ready} of {sample.size.workers if sample.size is not None else words.MISSING} workers{cache}",
        f"backlog {words.number(sample.backlog)}",
        f"fullest {words.size(sample.fullest_bytes)} of {words.size(sample.limit_bytes)}",
        f"{sample.completed} turns answered" + (f", {sample.failed} failed" if sample.failed else ""),
    )
    return f"{minutes:2}:{seconds:02}  {sample.phase:8} {', '.join(figures)}"
