"""A session: one stretch of work on a run, from its last checkpoint to the end or to an interruption.

It keeps what training gives in the run's folder. Whether the model trains alone or together with others is not its
affair.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, final

import torch
from safetensors.torch import save as to_safetensors

from genwindow.curve import Estimate
from genwindow.diffusion import NetworkDenoiser
from genwindow.errors import GenwindowError, check
from genwindow.files import write_atomically
from genwindow.monitor import Measurement, Monitor
from genwindow.nets import count_parameters
from genwindow.runs.build import build_denoiser, check_run
from genwindow.runs.config import RunConfig
from genwindow.runs.data import RunData, build_data
from genwindow.runs.frames import GALLERY
from genwindow.runs.measure import build_monitor
from genwindow.runs.store import RunFolder
from genwindow.runs.work import work
from genwindow.train import EMA, Crew, StepRecord, build_optimizer, load_state, resolve_device, save_state

CHECKPOINT_SECONDS = 60.0
STATUS_SECONDS = 0.5


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes:
        step: gradient steps made.
        steps: gradient steps to make.
        done: share of the work done, measuring included.
        f_mem: last measured, or None.
    """

    step: int
    steps: int
    done: float
    f_mem: float | None


@contextmanager
def open_session(
    config: RunConfig,
    folder: str | Path,
    *,
    crew: Crew,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    together: int = 1,
) -> Iterator[Session]:
    """Begin or resume a run. Inside the block nobody else works on it.

    Args:
        config: the settings.
        folder: where the run lives.
        crew: the processes that share the run; only the first writes.
        on_progress: called about twice a second and at the end.
        checkpoint_seconds: how old the last checkpoint may become.
        together: how many runs were begun together, this one included.

    Raises:
        GenwindowError: for bad settings, an unwritable or foreign folder, or a damaged checkpoint.
    """
    store = RunFolder(folder)
    config = RunConfig.from_json(config.to_json())  # settings made in Python are not checked for their choices
    if store.exists:
        store.begin(config, lengthen=False)
    data = build_data(config.data)  # before anything is written: bad input leaves no folder behind
    device = resolve_device(config.device) if crew.device is None else crew.device
    check_run(config, data)
    denoiser = build_denoiser(config, tuple(data.train.shape[1:]), data.classes).to(device)
    with store.locked() if crew.first else nullcontext():
        if crew.first:
            check_run_images(store, data)
            store.begin(config)
            store.write("provenance", _provenance(data, denoiser, crew, together))
        crew.wait()
        yield Session(store, config, data, denoiser, on_progress, checkpoint_seconds)


def check_run_images(store: RunFolder, data: RunData) -> None:
    """Refuse to go on with other images: those trained on before could now be held out.

    Raises:
        GenwindowError: when the images of the source, or their division, are not those the run was begun with.
    """
    if not (store.path / "provenance.json").is_file():
        return
    known = store.read("provenance")
    same = known.get("data_digest") == data.digest and known.get("train_index") == data.train_index
    check(
        same,
        f"the images of {data.source} are not those that the run in {store.path} was begun with; put them back, or "
        "choose another folder",
    )


def _provenance(data: RunData, denoiser: NetworkDenoiser, crew: Crew, together: int) -> dict[str, Any]:
    packages = ("genwindow", "torch", "numpy", "scipy")
    return {
        "versions": {"python": platform.python_version(), **{p: metadata.version(p) for p in packages}},
        "machine": platform.platform(),
        "device": _name_of(next(denoiser.parameters()).device),
        "threads": torch.get_num_threads(),
        "processes": crew.world,
        "together": together,
        "source": data.source,
        "data_digest": data.digest,
        "image_shape": list(data.train.shape[1:]),
        "train_index": data.train_index,
        "duplicates": data.duplicates,
        "groups": data.groups,
        "parameters": count_parameters(denoiser),
    }


def _name_of(device: torch.device) -> str:
    """`cpu`, or `cuda (NVIDIA H100 80GB HBM3)`."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


@final
class Session:
    """A run in hand: its model, where it is, and its folder.

    Args:
        store: its folder, begun.
        config: its settings.
        data: its images.
        denoiser: its model, on the device it is trained on.
        on_progress: called about twice a second and at the end.
        checkpoint_seconds: how old the last checkpoint may become.
    """

    def __init__(
        self,
        store: RunFolder,
        config: RunConfig,
        data: RunData,
        denoiser: NetworkDenoiser,
        on_progress: Callable[[Progress], None] | None,
        checkpoint_seconds: float,
    ) -> None:
        train, device = config.train, next(denoiser.parameters()).device
        self.store, self.config, self.data, self.denoiser = store, config, data, denoiser
        self.images = data.train.to(device)
        told = data.train_labels if config.net.conditional else None
        self.labels = None if told is None else told.to(device)
        self.optimizer = build_optimizer(denoiser.parameters(), train.optimizer, train.lr, train.momentum)
        self.ema = EMA(denoiser, train.ema)
        self.monitor: Monitor = build_monitor(config, data, denoiser, self.ema)
        self.on_progress = on_progress
        self.checkpoint_seconds = checkpoint_seconds
        self.step = self.samples = self.due = 0
        self.seconds_before = 0.0
        self.began = self.last_checkpoint = time.monotonic()
        self.last_status = 0.0
        self.f_mem: float | None = None
        self._resume()
        self.due = self.monitor.next_step
        denoiser.train()

    @property
    def seconds(self) -> float:
        """Spent on this run, earlier sessions included."""
        return self.seconds_before + time.monotonic() - self.began

    @property
    def over(self) -> bool:
        """Whether no step is left to make: all are made, or the run has ended itself inside the window."""
        train = self.config.train
        return self.step >= train.steps or (train.stop_in_window and self.monitor.stop_step is not None)

    @property
    def checkpoint_due(self) -> bool:
        """Whether a kill would cost more than it may."""
        return time.monotonic() - self.last_checkpoint > self.checkpoint_seconds

    def advance(self, record: StepRecord) -> bool:
        """A step was made; returns whether to measure now."""
        self.step, self.samples = record.step, record.samples
        return self.step >= self.due or self.step == self.config.train.steps

    def measure(self) -> None:
        """Measure, keep what was measured, and know when to measure next."""
        self._keep(self.monitor.measure(self.step, self.samples))
        self.due = self.monitor.next_step

    def estimates(self) -> dict[str, Estimate]:
        """What is known of this run so far."""
        return self.monitor.estimates()

    def go_on(self) -> None:
        """Between two steps: a checkpoint when it is time for one, and a sign of life."""
        if self.checkpoint_due:
            self.save()
        self._tell("running", sparing=True)

    def finish(self) -> None:
        """No step is left to make."""
        self.save()
        self.store.write_estimates(self.estimates())
        self._snapshot("final")
        self._tell("done")

    def interrupt(self, why: str = "") -> None:
        """Write a checkpoint and say that the run was stopped, or why it ended before its last step."""
        self.save()
        self._tell("interrupted", f"ended at step {self.step} of {self.config.train.steps}: {why}" if why else "")

    def diverged(self, step: int, loss: float) -> GenwindowError:
        """Say that the run has failed, its step could not be made; returns the error to raise."""
        kept = "its last checkpoint is kept" if self.store.checkpoint.exists() else "no checkpoint was written yet"
        message = (
            f"training diverged at step {step} (loss {loss:g}) in {self.store.path}; {kept}. Try a smaller train.lr "
            f"(now {self.config.train.lr:g}), or train.optimizer=adam, in a new folder"
        )
        self._tell("failed", message)
        return GenwindowError(message)

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
            self.step, self.samples = int(state["step"]), int(state["samples"])
            self.seconds_before = float(state["seconds"])
            curves, fixed = self.monitor.curves(), self.config.train.fixed_t
            losses = {curve.t for curve in curves if curve.name.endswith("_loss")}
            check(
                fixed is None or not losses or fixed in losses,
                f"the run in {self.store.path} was begun by a version that did not look at t = {fixed}: its losses "
                "tell nothing; choose another folder",
            )
            known = [curve for curve in curves if curve.name == "f_mem" and len(curve)]
            self.f_mem = float(known[0].value[-1]) if known else None
        except GenwindowError:
            raise
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise GenwindowError(f"{path} does not fit this run ({type(error).__name__}); delete it") from error

    def save(self) -> None:
        """Write a checkpoint."""
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
            save_state(self.store.checkpoint, state)
        except OSError as error:
            raise GenwindowError(f"cannot write {self.store.checkpoint}: {error.strerror}") from None
        self.last_checkpoint = time.monotonic()

    def _keep(self, measurement: Measurement) -> None:
        """Write what a measuring time gave: curves, estimates so far, samples, the best weights."""
        self.store.write_known(self.monitor)
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
