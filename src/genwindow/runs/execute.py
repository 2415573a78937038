"""Execute one run in its folder: begin or resume, train, measure, keep, finish.

The same call again continues where the last checkpoint is. On a CPU the result is the same, bit for bit, however often
the run was stopped or killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from genwindow.errors import check
from genwindow.runs.config import RunConfig
from genwindow.runs.enough import Enough
from genwindow.runs.interrupt import Interrupted, StopRequest, stop_request
from genwindow.runs.result import RunResult
from genwindow.runs.session import CHECKPOINT_SECONDS, Progress, Session, open_session
from genwindow.runs.store import RunFolder
from genwindow.train import ALONE, Crew, Diverged, StepRecord, join_crew, train_steps


def execute(
    config: RunConfig,
    folder: str | Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    enough: Enough | None = None,
) -> RunResult:
    """Run to the end, resuming what is there.

    Args:
        config: the settings; a folder begun with others is refused, but for more steps or another device.
        folder: where the run lives.
        on_progress: called about twice a second and at the end.
        checkpoint_seconds: how much work a kill can cost at most.
        enough: ends the run earlier, as `interrupted` with a checkpoint; for a single process.

    Returns:
        The finished run.

    Raises:
        GenwindowError: for bad settings, an unwritable or foreign folder, a damaged checkpoint, or a loss that
            diverged.
        Interrupted: after Ctrl-C or SIGTERM; the checkpoint is written first.
    """
    store = RunFolder(folder)
    if is_done(config, store, enough):
        return store.load()
    crew = join_crew(config.device)
    check(enough is None or crew.world == 1, "a run that may end early cannot be shared by several processes")
    with (
        stop_request() as stop,
        open_session(
            config, store.path, crew=crew, on_progress=on_progress, checkpoint_seconds=checkpoint_seconds
        ) as session,
    ):
        train_session(session, stop, crew, enough)
    return store.load()


def is_done(config: RunConfig, store: RunFolder, enough: Enough | None = None) -> bool:
    """Whether nothing is left to do: the run is at its end, or has told enough.

    Raises:
        GenwindowError: when what is done was another run.
    """
    if not store.exists:
        return False
    status = store.read("status")
    ended = status.get("state") == "done" and status.get("steps", config.train.steps) >= config.train.steps
    done = ended or _has_told_enough(store, enough)
    if done:
        store.begin(config, lengthen=False)
    return done


def steps_alone(session: Session, until: int, crew: Crew = ALONE) -> Iterator[StepRecord]:
    """The steps of one run from where it is to step `until`."""
    train = session.config.train
    return train_steps(
        session.denoiser, session.images, session.optimizer,
        steps=until, batch=train.batch, seed=train.seed, start=session.step,
        fixed_t=train.fixed_t, labels=session.labels, label_dropout=train.label_dropout,
        ema=session.ema, precision=session.config.precision, crew=crew,
    )  # fmt: skip


def train_session(session: Session, stop: StopRequest, crew: Crew, enough: Enough | None = None) -> None:
    """Train one run to its end, or until it has told enough.

    Raises:
        GenwindowError: when the loss diverged.
        Interrupted: when a stop was asked for; the checkpoint is written first.
    """
    loop = steps_alone(session, 0 if session.over else session.config.train.steps, crew)
    device = session.images.device
    try:
        for record in loop:
            stopped = _agreed(stop.made, crew, device)
            measuring = session.advance(record)
            if measuring and crew.first:
                session.measure()
            if measuring:
                session.due = _of_first(session.due, crew, device)
                if _agreed(session.over, crew, device):
                    break
            if enough is not None and (
                why := enough.reason(session.seconds, session.estimates() if measuring else None)
            ):
                session.interrupt(why)
                return
            if crew.first:
                session.go_on()
                if stopped:
                    session.interrupt()
            if stopped:
                raise Interrupted
    except Diverged as error:
        if not crew.first:
            raise
        raise session.diverged(error.step, error.loss) from None
    if crew.first:
        session.finish()
    crew.wait()


def _has_told_enough(store: RunFolder, enough: Enough | None) -> bool:
    """Whether a run that was ended or interrupted earlier needs no further step."""
    status = store.read("status")
    if enough is None or status.get("state") != "interrupted":
        return False
    return bool(enough.reason(status.get("seconds", 0.0), store.read_estimates()))


def _of_first(number: int, crew: Crew, device: torch.device) -> int:
    """The number that the first process of the crew has; all of them come here at the same step."""
    if crew.world == 1:
        return number
    return int(crew.total(torch.tensor(number if crew.first else 0, device=device)))


def _agreed(said: bool, crew: Crew, device: torch.device) -> bool:
    """Whether any process of the crew says so; all of them come here at the same step."""
    if crew.world == 1:
        return said
    return bool(crew.total(torch.tensor(float(said), device=device)) > 0)
