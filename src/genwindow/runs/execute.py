"""Execute one run in its folder: begin or resume, train, measure, keep, finish.

The same call again continues where the last checkpoint is. On a CPU the result is the same, bit for bit, however often
the run was stopped or killed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from genwindow.runs.config import RunConfig
from genwindow.runs.interrupt import Interrupted, StopRequest, stop_request
from genwindow.runs.result import RunResult
from genwindow.runs.session import CHECKPOINT_SECONDS, Progress, Session, open_session
from genwindow.runs.store import RunFolder
from genwindow.train import Crew, Diverged, join_crew, train_steps


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
    if store.exists and store.read("status").get("state") == "done":
        store.begin(config)
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


def train_session(session: Session, stop: StopRequest, crew: Crew) -> None:
    """Train one run to its end.

    Raises:
        GenwindowError: when the loss diverged.
        Interrupted: when a stop was asked for; the checkpoint is written first.
    """
    train = session.config.train
    loop = train_steps(
        session.denoiser, session.images, session.optimizer,
        steps=0 if session.over else train.steps, batch=train.batch, seed=train.seed, start=session.step,
        fixed_t=train.fixed_t, labels=session.labels, label_dropout=train.label_dropout,
        ema=session.ema, precision=session.config.precision, crew=crew,
    )  # fmt: skip
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


<<<<<<< HEAD
def _agreed(said: bool, crew: Crew, device: torch.device) -> bool:
    """Whether any process of the crew says so; all of them come here at the same step."""
    if crew.world == 1:
        return said
    return bool(crew.total(torch.tensor(float(said), device=device)) > 0)
=======
class _Session:
    """One stretch of work on a run, from its last checkpoint to the end or to an interruption."""

    def __init__(
        self,
        store: RunFolder,
        config: RunConfig,
        data: RunData,
        denoiser: NetworkDenoiser,
        device: torch.device,
        stop: StopRequest,
        on_progress: Callable[[Progress], None] | None,
        checkpoint_seconds: float,
        crew: Crew,
    ) -> None:
        train = config.train
        self.store, self.config, self.data, self.denoiser = store, config, data, denoiser
        self.images = data.train.to(device)
        told = data.train_labels if config.net.conditional else None
        self.labels = None if told is None else told.to(device)
        self.optimizer = build_optimizer(denoiser.parameters(), train.optimizer, train.lr, train.momentum)
        self.ema = EMA(denoiser, train.ema)
        self.monitor: Monitor = build_monitor(config, data, denoiser, self.ema)
        self.stop, self.crew = stop, crew
        self.on_progress = on_progress
        self.checkpoint_seconds = checkpoint_seconds
        self.step = self.samples = self.due = 0
        self.seconds_before = 0.0
        self.began = self.last_checkpoint = time.monotonic()
        self.last_status = 0.0
        self.f_mem: float | None = None

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.began

    def run(self) -> RunResult:
        config, steps = self.config, self.config.train.steps
        self._resume()
        self.due = self._next_time()
        self.denoiser.train()
        loop = train_steps(
            self.denoiser, self.images, self.optimizer,
            steps=steps, batch=config.train.batch, seed=config.train.seed, start=self.step,
            fixed_t=config.train.fixed_t, labels=self.labels, label_dropout=config.train.label_dropout,
            ema=self.ema, precision=config.precision, crew=self.crew,
        )  # fmt: skip
        try:
            for record in loop:
                self.step, self.samples = record.step, record.samples
                stopped = self._stopped()
                measuring = self.step >= self.due or self.step == steps
                if self.crew.first and measuring:
                    self._keep(self.monitor.measure(self.step, self.samples))
                if measuring:
                    self.due = self._next_time()
                    if self._agreed(self.monitor.stop_step is not None and config.train.stop_in_window):
                        break
                if not self.crew.first:
                    if stopped and self.step < steps:
                        raise Interrupted
                    continue
                if time.monotonic() - self.last_checkpoint > self.checkpoint_seconds:
                    self._save()
                self._tell("running", sparing=True)
                if stopped and self.step < steps:
                    self._save()
                    self._tell("interrupted")
                    raise Interrupted
        except Diverged as error:
            if not self.crew.first:
                raise
            kept = "its last checkpoint is kept" if self.store.checkpoint.exists() else "no checkpoint was written yet"
            message = (
                f"{error} in {self.store.path}; {kept}. Try a smaller train.lr (now {config.train.lr:g}), "
                f"or train.optimizer=adam, in a new folder"
            )
            self._tell("failed", message)
            raise GenwindowError(message) from None
        if self.crew.first:
            self._finish()
        self.crew.wait()
        return self.store.load()

    def _stopped(self) -> bool:
        """Whether any process of the crew was asked to stop; all of them learn it at the same step."""
        return self._agreed(self.stop.made)

    def _agreed(self, said: bool) -> bool:
        """Whether any process of the crew says so; all of them come here at the same step."""
        if self.crew.world == 1:
            return said
        return bool(self.crew.total(torch.tensor(float(said), device=self.images.device)) > 0)

    def _next_time(self) -> int:
        measure = self.config.measure
        return next_measuring_time(self.step, measure.first, measure.per_octave)

    def _finish(self) -> None:
        self._save()
        self.store.write("estimates", {k: e.to_json() for k, e in self.monitor.estimates().items()})
        self._snapshot("final")
        self._tell("done")

    def _resume(self) -> None:
        path = self.store.checkpoint
        if not path.exists() and path.with_name("previous.pt").exists():
            path = path.with_name("previous.pt")
        if not path.exists():
            return
        state = load_state(path)
        try:
            self.denoiser.load_state_dict(state["denoiser"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.ema.load_state_dict(state["ema"])
            self.monitor.load_state_dict(state["monitor"])
            self.step, self.samples = state["step"], state["samples"]
            self.seconds_before = state["seconds"]
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise GenwindowError(f"{path} does not fit this run ({type(error).__name__}); delete it") from error

    def _save(self) -> None:
        state: dict[str, Any] = {
            "step": self.step,
            "samples": self.samples,
            "seconds": self.seconds,
            "denoiser": self.denoiser.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict(),
            "monitor": self.monitor.state_dict(),
        }
        try:
            self.store.checkpoint.parent.mkdir(exist_ok=True)
            save_state(self.store.checkpoint, state)
        except OSError as error:
            raise GenwindowError(f"cannot write {self.store.checkpoint}: {error.strerror}") from None
        self.last_checkpoint = time.monotonic()

    def _keep(self, measurement: Measurement) -> None:
        """Write what a measuring time gave: curves, estimates so far, samples, the best weights."""
        self.store.write_curves(self.monitor.curves())
        self.store.write("estimates", {k: e.to_json() for k, e in self.monitor.estimates().items()})
        self.store.write("ratios", self.monitor.ratio_curve)
        self.store.write("verdicts", {"verdicts": [verdict.to_json() for verdict in self.monitor.verdicts]})
        self.f_mem = next((p.value for p in measurement.points if p.name == "f_mem"), None)
        found, generated = measurement.memorization, measurement.generated
        if found is not None and generated is not None:
            nearest = self.data.train[torch.as_tensor(found.nearest[:GALLERY])]
            self.store.write_samples(
                measurement.step,
                generated=self.data.display(generated),
                nearest=self.data.display(nearest),
                ratio=found.ratio,
                nearest_index=found.nearest,
            )
        if measurement.best:
            self._snapshot("best")
        if measurement.first_stop:
            self._snapshot("stop")

    def _snapshot(self, name: str) -> None:
        with self.ema.applied():
            weights = {k: v.detach().cpu().contiguous() for k, v in self.denoiser.network.state_dict().items()}
        content = to_safetensors(weights, metadata={"step": str(self.step), "config": self.config.digest})
        write_atomically(self.store.path / "snapshots" / f"{name}.safetensors", content)

    def _tell(self, state: str, message: str = "", *, sparing: bool = False) -> None:
        now = time.monotonic()
        if sparing and now - self.last_status < STATUS_SECONDS:
            return
        self.last_status = now
        steps = self.config.train.steps
        self.store.write("status", {
            "state": state, "message": message, "step": self.step, "steps": steps,
            "seconds": self.seconds, "f_mem": self.f_mem,
        })  # fmt: skip
        if self.on_progress is not None:
            done = 1.0 if state == "done" else work(self.config, self.step) / work(self.config, steps)
            self.on_progress(Progress(self.step, steps, done, self.f_mem))
>>>>>>> 572ae83 (The stop rule judged on whole runs: genwindow reproduce stop-rule)
