"""Execute one run in its folder: begin or resume, train, measure, keep, finish.

The same call again continues where the last checkpoint is. On a CPU the result is the same, bit for bit, however often
the run was stopped or killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from genwindow.runs.config import RunConfig
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
) -> RunResult:
    """Run to the end, resuming what is there.

    Args:
        config: the settings; a folder begun with others is refused.
        folder: where the run lives.
        on_progress: called about twice a second and at the end.
        checkpoint_seconds: how much work a kill can cost at most.

    Returns:
        The finished run.

    Raises:
        GenwindowError: for bad settings, an unwritable or foreign folder, a damaged checkpoint, or a loss that
            diverged.
        Interrupted: after Ctrl-C or SIGTERM; the checkpoint is written first.
    """
    store = RunFolder(folder)
    if is_done(config, store):
        return store.load()
    crew = join_crew(config.device)
    with (
        stop_request() as stop,
        open_session(
            config, store.path, crew=crew, on_progress=on_progress, checkpoint_seconds=checkpoint_seconds
        ) as session,
    ):
        train_session(session, stop, crew)
    return store.load()


def is_done(config: RunConfig, store: RunFolder) -> bool:
    """Whether nothing is left to do.

    Raises:
        GenwindowError: when what is done was another run.
    """
    done = store.exists and store.read("status").get("state") == "done"
    if done:
        store.begin(config)
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


def train_session(session: Session, stop: StopRequest, crew: Crew) -> None:
    """Train one run to its end.

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
            if measuring and _agreed(session.over, crew, device):
                break
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


def _agreed(said: bool, crew: Crew, device: torch.device) -> bool:
    """Whether any process of the crew says so; all of them come here at the same step."""
    if crew.world == 1:
        return said
    return bool(crew.total(torch.tensor(float(said), device=device)) > 0)
