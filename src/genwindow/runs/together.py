"""Execute several runs at once: their models train together, each run lives in its own folder.

Every folder ends as if its run had been executed alone, up to rounding, and a run may be begun one way and resumed the
other. Of runs at different steps the one behind goes first, until they meet; a run that is over, or fails, leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import final

from genwindow.errors import check
from genwindow.runs.config import RunConfig, flat, plain, varying
from genwindow.runs.execute import is_done, steps_alone
from genwindow.runs.interrupt import Interrupted, StopRequest, stop_request
from genwindow.runs.session import CHECKPOINT_SECONDS, Progress, Session, open_session
from genwindow.runs.store import RunFolder
from genwindow.train import (
    Crew,
    Diverged,
    Member,
    SomeDiverged,
    StepRecord,
    build_optimizer,
    join_crew,
    resolve_device,
    steps_together,
)

WIDEST, LARGEST = 256, 2**17
"""Width, and batch times width, up to which training together was seen to be 1.2 times faster or more.

Beyond, the matrix products are nearly all the work."""

FREE = ("data.n", "data.seed", "data.heldout", "data.reference", "train.seed", "train.steps", "train.stop_in_window")
"""Settings in which runs that train together may differ, beside those of `measure`."""


def company(config: RunConfig) -> tuple[str, ...] | None:
    """What runs must have in common to train together, or None for a run that gains nothing by it and trains alone."""
    on_cpu = config.device == "cpu" or (config.device == "auto" and resolve_device("auto").type == "cpu")
    batch, width = config.batch_size, config.net.width
    small = config.net.kind == "mlp" and width <= WIDEST and batch * width <= LARGEST
    if not (on_cpu and small and config.precision == "float32"):
        return None
    settings = {**flat(config), "train.batch": batch}
    return tuple(
        f"{name}={plain(value)}"
        for name, value in settings.items()
        if name not in FREE and not name.startswith("measure.")
    )


def execute_together(
    runs: Sequence[tuple[RunConfig, str | Path]],
    *,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> list[Exception | None]:
    """Run them all to the end, resuming what is there. A run that fails does not stop the others.

    Args:
        runs: settings, equal in what `company` names, and the folder of each.
        on_progress: called about twice a second for each run and at its end.
        checkpoint_seconds: how much work a kill can cost at most.

    Returns:
        For each run None when it is done, else what `execute` would have raised.

    Raises:
        GenwindowError: when these runs cannot train together.
        Interrupted: after Ctrl-C or SIGTERM; every run that is not over has written its checkpoint.
    """
    configs = [config for config, _ in runs]
    keys = {company(config) for config in configs}
    check(None not in keys, "each of the runs must be one that can train together with others")
    check(len(keys) <= 1, f"these runs cannot train together; they differ in {', '.join(varying(configs))}")
    with stop_request() as stop, _Hand() as hand:
        for place, (config, folder) in enumerate(runs):
            with hand.blaming(place):
                if is_done(config, RunFolder(folder)):
                    hand.leave(place)
                else:
                    session = open_session(
                        config, folder, crew=_alone(config),
                        on_progress=on_progress, checkpoint_seconds=checkpoint_seconds, together=len(runs),
                    )  # fmt: skip
                    hand.take(place, session)
        while hand.sessions:
            hand.let_go()
            if stop.made:
                hand.interrupt()
            hand.train(stop)
    return [hand.ends[place] for place in range(len(runs))]


@final
class _Hand:
    """The runs in hand, by their place in the list; and how those ended that have left it."""

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}
        self.ends: dict[int, Exception | None] = {}
        self._open: dict[int, ExitStack] = {}

    def __enter__(self) -> _Hand:
        return self

    def __exit__(self, *_: object) -> None:
        for place in list(self._open):
            self._open.pop(place).close()

    @contextmanager
    def blaming(self, place: int) -> Iterator[None]:
        """An error inside the block is the end of this run, and of no other."""
        try:
            yield
        except Exception as error:
            self.leave(place, error)

    def take(self, place: int, session: AbstractContextManager[Session]) -> None:
        """Open the session of a run."""
        self._open[place] = ExitStack()
        self.sessions[place] = self._open[place].enter_context(session)

    def leave(self, place: int, error: Exception | None = None) -> None:
        """Close a session; whoever waits for its folder can have it."""
        self.ends[place] = error
        self.sessions.pop(place, None)
        if place in self._open:
            self._open.pop(place).close()

    def let_go(self) -> None:
        """Finish the runs that are over."""
        for place, session in list(self.sessions.items()):
            if session.over:
                with self.blaming(place):
                    session.finish()
                    self.leave(place)

    def interrupt(self) -> None:
        """Write the checkpoint of every run that is left.

        Raises:
            Interrupted: when there was one.
        """
        interrupted = bool(self.sessions)
        for place, session in list(self.sessions.items()):
            with self.blaming(place):
                session.interrupt()
        if interrupted:
            raise Interrupted

    def train(self, stop: StopRequest) -> None:
        """Train the runs that are behind until one is over or leaves, they meet another, or a stop is asked for."""
        if not self.sessions:
            return
        start = min(session.step for session in self.sessions.values())
        behind = {place: session for place, session in self.sessions.items() if session.step == start}
        ends = [session.config.train.steps for session in behind.values()]
        ends += [session.step for session in self.sessions.values() if session.step > start]
        try:
            for records in _steps(list(behind.values()), min(ends)):
                for place, record in zip(behind, records, strict=True):
                    with self.blaming(place):
                        if behind[place].advance(record):
                            behind[place].measure()
                self._go_on(behind)
                left = len(self.sessions.keys() & behind.keys()) < len(behind)
                if left or stop.made or any(session.over for session in behind.values()):
                    return
        except SomeDiverged as error:
            places = list(behind)
            for k, loss in error.losses.items():
                with self.blaming(places[k]):
                    raise behind[places[k]].diverged(error.step, loss) from None

    def _go_on(self, behind: dict[int, Session]) -> None:
        """A checkpoint of all when one is due, so that they can be resumed in the same company; and a sign of life."""
        due = any(session.checkpoint_due for session in behind.values())
        for place, session in behind.items():
            if place in self.sessions:
                with self.blaming(place):
                    if due:
                        session.save()
                    session.go_on()


def _alone(config: RunConfig) -> Crew:
    crew = join_crew(config.device)
    check(crew.world == 1, "runs train together in one process, not in several")
    return crew


def _steps(sessions: Sequence[Session], until: int) -> Iterator[tuple[StepRecord, ...]]:
    """The steps of several runs, or of one, which then trains exactly as it does alone."""
    first = sessions[0]
    if len(sessions) == 1:
        try:
            for record in steps_alone(first, until):
                yield (record,)
        except Diverged as error:
            raise SomeDiverged(error.step, {0: error.loss}) from None
        return
    train = first.config.train
    yield from steps_together(
        [Member(s.denoiser, s.images, s.optimizer, s.ema, s.config.train.seed, s.labels) for s in sessions],
        lambda weights: build_optimizer(weights, train.optimizer, train.lr, train.momentum),
        start=first.step, steps=until, batch=first.config.batch_size,
        fixed_t=train.fixed_t, label_dropout=train.label_dropout,
    )  # fmt: skip
