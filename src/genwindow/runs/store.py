"""A run folder: the one place where a run is written to and read from disk.

    config.json       every setting, before the first step      curves.csv    one row per measured value
    provenance.json   versions, device, data digest              snapshots/    weights (safetensors)
    status.json       state, step, time used                     checkpoint/   everything needed to resume
    estimates.json    timescales with status and interval        samples/      generated images per measuring time
    verdicts.json     where in its window the run was            ratios.json   shares below every ratio

Every file is written beside its place and moved there whole, so a reader never meets half a file.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from genwindow.curve import Curve, Estimate
from genwindow.errors import GenwindowError, check
from genwindow.files import making_sense_of, read_json, to_json_text, write_atomically
from genwindow.monitor import Monitor, Point, Verdict, curves_of
from genwindow.runs.config import RunConfig, differences, fits
from genwindow.runs.frames import read_gallery, read_ratios, write_frame
from genwindow.runs.lock import LOCK, is_locked, lock_folder
from genwindow.runs.result import Gallery, RunResult

LEFTOVERS = (
    *(f".{name}.json.*.tmp" for name in ("config", "provenance", "status", "estimates", "verdicts", "ratios")),
    ".curves.csv.*.tmp",
    "snapshots/.*.safetensors.*.tmp",
    "samples/.step_*.npz.*.tmp",
    "checkpoint/.state.pt.*.tmp",
    "checkpoint/state.tmp",  # of earlier versions
)
"""What writing leaves in a run folder when it is killed; pages are not among it, others write them too."""
FORMS: Mapping[str, Mapping[str, Any]] = {
    "status": {"state": str, "message": str, "step": int, "steps": int, "seconds": float, "f_mem": float | None},
    "provenance": {"parameters": int, "duplicates": int, "groups": str},
}
"""What entries of a file must be, where they are there."""
COLUMNS = ("step", "samples", "tau", "name", "t", "value", "low", "high")


@final
class RunFolder:
    """Paths, writing and reading of one run folder.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.checkpoint = self.path / "checkpoint" / "state.pt"
        self.samples = self.path / "samples"

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / "config.json").is_file()

    def begin(self, config: RunConfig, *, lengthen: bool = True) -> None:
        """Write the settings, or check that the run begun here has the same; it may go on longer, or elsewhere.

        Args:
            config: the settings.
            lengthen: whether a run is made longer where more steps are asked for; False only checks.

        Raises:
            GenwindowError: when the folder holds a run with other settings (the differences are listed), something
                that is no run, or cannot be written.
        """
        if self.exists:
            theirs = RunConfig.from_json(read_json(self.path / "config.json"))
            train = dataclasses.replace(theirs.train, steps=max(theirs.train.steps, config.train.steps))
            different = differences(config, dataclasses.replace(theirs, train=train, device=config.device))
            check(
                not different,
                f"{self.path} holds a run with other settings ({'; '.join(different)}); choose another folder",
            )
            if lengthen and train != theirs.train:
                self._lengthen(dataclasses.replace(theirs, train=train))
            return
        check(not self.path.exists() or self.path.is_dir(), f"{self.path} is a file, not a folder")
        ours = {self.path / LOCK, *self._leftovers()}
        strangers = sorted(p.name for p in self.path.iterdir() if p not in ours) if self.path.exists() else []
        check(not strangers, f"{self.path} is not empty and holds no run (found {', '.join(strangers[:3])})")
        write_atomically(self.path / "config.json", to_json_text(config.to_json()))

    def _lengthen(self, config: RunConfig) -> None:
        """Make a run longer than it was begun; from now on it is one that was interrupted."""
        status = self.read("status") if (self.path / "status.json").is_file() else {}
        there = self.checkpoint.exists() or self.checkpoint.with_name("previous.pt").exists()
        check(
            there or not status.get("step"),
            f"the run in {self.path} cannot go on for more steps: its checkpoint is gone; choose another folder",
        )
        if status:
            self.write("status", {**status, "state": "interrupted", "message": "", "steps": config.train.steps})
        write_atomically(self.path / "config.json", to_json_text(config.to_json()))

    def _leftovers(self) -> list[Path]:
        """Files of a run whose writing was killed."""
        return [path for pattern in LEFTOVERS for path in self.path.glob(pattern)]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process at a time works on a run. The folder is made; it goes again when no run was begun in it.

        What killed writes have left is removed.

        Raises:
            Busy: when another one does.
            GenwindowError: when the folder cannot be written.
        """
        created = not self.path.exists()
        with lock_folder(self.path):
            for path in self._leftovers():
                path.unlink(missing_ok=True)
            try:
                yield
            finally:
                if not self.exists:
                    (self.path / LOCK).unlink(missing_ok=True)
                if created and not self.exists:
                    self.path.rmdir()

    @property
    def busy(self) -> bool:
        """Whether a process is working on this run now."""
        return is_locked(self.path)

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """Write `name`.json."""
        write_atomically(self.path / f"{name}.json", to_json_text(data))

    def read(self, name: str) -> dict[str, Any]:
        """Read `name`.json; empty when it is not there yet.

        Raises:
            GenwindowError: when it is no JSON, no table, or an entry is of another type than in `FORMS`.
        """
        path = self.path / f"{name}.json"
        data = read_json(path) if path.exists() else {}
        with making_sense_of(path):
            check(isinstance(data, dict), f"a table is expected, got {data!r:.40}")
            for key, hint in FORMS.get(name, {}).items():
                check(key not in data or fits(data[key], hint), f"{key} is {data.get(key)!r}")
        return data

    def write_known(self, monitor: Monitor) -> None:
        """Write what a monitor knows by now: curves, estimates, ratios and verdicts."""
        self.write_curves(monitor.curves())
        self.write_estimates(monitor.estimates())
        self.write("ratios", monitor.ratio_curve)
        self.write("verdicts", {"verdicts": [verdict.to_json() for verdict in monitor.verdicts]})

    def write_estimates(self, estimates: Mapping[str, Estimate]) -> None:
        """Write estimates.json."""
        self.write("estimates", {name: estimate.to_json() for name, estimate in estimates.items()})

    def write_curves(self, curves: Sequence[Curve]) -> None:
        """Write curves.csv: step, samples, tau, name, t, value, low, high."""
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\n")
        out.writerow(COLUMNS)
        for c in curves:
            assert c.step is not None and c.samples is not None and c.low is not None and c.high is not None
            for row in zip(c.step, c.samples, c.tau, c.value, c.low, c.high, strict=True):
                step, samples, *numbers = (v.item() for v in row)
                out.writerow((step, samples, numbers[0], c.name, "" if c.t is None else c.t, *numbers[1:]))
        write_atomically(self.path / "curves.csv", text.getvalue())

    def read_curves(self) -> tuple[Curve, ...]:
        """The inverse of `write_curves`; nothing when there is no file yet."""
        path = self.path / "curves.csv"
        if not path.exists():
            return ()
        try:
            with path.open(newline="") as file:
                rows = csv.DictReader(file)
                header = tuple(rows.fieldnames or ())
                check(header == COLUMNS, f"{path} is not a curves table: its columns are {header}, not {COLUMNS}")
                points = [
                    Point(
                        int(r["step"]), int(r["samples"]), r["name"], float(r["t"]) if r["t"] else None,
                        float(r["value"]), float(r["low"]), float(r["high"]),
                    )
                    for r in rows
                ]  # fmt: skip
        except GenwindowError:
            raise
        except (TypeError, ValueError, csv.Error) as error:
            raise GenwindowError(f"{path} is not a curves table: {error}") from None
        return curves_of(points)

    def write_samples(self, step: int, **arrays: Any) -> None:
        """Write samples/step_<step>.npz; see `genwindow.runs.frames`."""
        write_frame(self.samples, step, **arrays)

    def read_ratios(self) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
        """(T,) steps, and for each the ratio d1/d2 of every image generated then: f_mem at any threshold."""
        return read_ratios(self.samples)

    def read_gallery(self) -> Gallery | None:
        """The kept images of every measuring time, or None when there are none."""
        return read_gallery(self.samples)

    def read_verdicts(self) -> tuple[Verdict, ...]:
        """The verdict of every measuring time; nothing when there is no file yet."""
        data = self.read("verdicts")
        with making_sense_of(self.path / "verdicts.json"):
            return tuple(Verdict.from_json(verdict) for verdict in data.get("verdicts", ()))

    def read_estimates(self) -> dict[str, Estimate]:
        """The estimates by name; nothing when there is no file yet."""
        data = self.read("estimates")
        with making_sense_of(self.path / "estimates.json"):
            made = {name: Estimate.from_json(found) for name, found in data.items()}
            for name, found in made.items():
                ends = [end for end in (found.low, found.value, found.high) if end is not None]
                late = not name.startswith("tau_") or min(ends, default=0) >= 0
                check(late, f"{name} is a training time, which must not be negative, got {found}")
            return made

    def read_ratio_curve(self) -> dict[str, NDArray[np.float64]]:
        """f_mem as a function of the ratio threshold, at the last measuring time; nothing when there is none."""
        data = self.read("ratios")
        with making_sense_of(self.path / "ratios.json"):
            found = {name: np.array(column, dtype=np.float64) for name, column in data.items()}
            whole = {"threshold", "generated", "heldout"} <= found.keys()
            alike = len({column.shape for column in found.values()}) <= 1
            check(alike and (whole or not found), "threshold, generated and heldout must be columns of one length")
            return found

    def read_snapshot(self, name: str) -> tuple[int, dict[str, Tensor]] | None:
        """The step and the network's weights of a snapshot: `best`, `stop` or `final`; None where there is none.

        Raises:
            GenwindowError: when the file is damaged.
        """
        path = self.path / "snapshots" / f"{name}.safetensors"
        if not path.exists():
            return None
        try:
            with safe_open(str(path), framework="pt") as file:
                return int(file.metadata()["step"]), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except Exception as error:  # safetensors raises many types for a damaged file
            raise GenwindowError(f"{path} is damaged ({type(error).__name__})") from None

    def load(self) -> RunResult:
        """Everything that is known about this run.

        Raises:
            GenwindowError: when no run was begun here or a file is damaged.
        """
        check(self.exists, f"{self.path} holds no run (no config.json)")
        status, provenance = self.read("status"), self.read("provenance")
        state = status.get("state", "begun")
        if state == "running" and not self.busy:
            state = "interrupted"  # its process was killed
        return RunResult(
            folder=self.path,
            config=RunConfig.from_json(read_json(self.path / "config.json")),
            status=state,
            curves=self.read_curves(),
            estimates=self.read_estimates(),
            message=status.get("message", ""),
            ratio_curve=self.read_ratio_curve(),
            gallery=self.read_gallery(),
            parameters=provenance.get("parameters", 0),
            duplicates=provenance.get("duplicates", 0),
            groups=provenance.get("groups", ""),
            seconds=status.get("seconds", 0.0),
            verdicts=self.read_verdicts(),
        )
