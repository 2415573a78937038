"""A watched training: what a monitor has said so far, kept in a folder that others can look at while it goes on.

Our own run folders are watched folders. A host with a training loop of its own makes one by `keep_watch` after every
measurement; it holds the same files, without the settings, which only the host knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genwindow.curve import Curve, Estimate
from genwindow.errors import check
from genwindow.monitor import Monitor, Verdict
from genwindow.runs.store import RunFolder


@dataclass(frozen=True)
class Watched:
    """A training seen from outside.

    Attributes:
        folder: where it is kept.
        status: `begun`, `running`, `done`, `interrupted` or `failed`; whether one of our own runs is still worked on is
            asked of its lock.
        step: the last one known.
        steps: how many there will be, or None.
        curves: measured curves.
        estimates: timescales and constants.
        verdicts: of every measuring time.
    """

    folder: Path
    status: str
    step: int
    steps: int | None
    curves: tuple[Curve, ...]
    estimates: dict[str, Estimate]
    verdicts: tuple[Verdict, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The last one, or None before the first measuring time."""
        return self.verdicts[-1] if self.verdicts else None

    @property
    def finished(self) -> bool:
        """Whether nothing more is to come by itself."""
        return self.status not in ("running", "begun")


def keep_watch(monitor: Monitor, folder: str | Path, *, status: str = "running") -> None:
    """Write what a monitor knows: curves.csv, estimates.json, ratios.json, verdicts.json, status.json.

    Call it after every measurement, and once with `status="done"` at the end. Each file appears whole.

    Args:
        monitor: the host's.
        folder: made where it is missing.
        status: `running` or `done`.

    Raises:
        GenwindowError: when the folder cannot be written, or holds a run of ours.
    """
    store = RunFolder(folder)
    check(not store.exists, f"{store.path} holds a run with settings; choose another folder")
    store.write_known(monitor)
    store.write("status", {"state": status, "step": monitor.last_step or 0})


def read_watched(folder: str | Path) -> Watched:
    """What is known about a training by now.

    Raises:
        GenwindowError: when nothing is kept there, or a file is damaged.
    """
    store = RunFolder(folder)
    check(
        store.exists or (store.path / "status.json").is_file(),
        f"{store.path} holds no run and no watched training (no config.json, no status.json)",
    )
    status = store.read("status")
    state = status.get("state", "begun")
    if state == "running" and store.exists and not store.busy:
        state = "interrupted"  # killed: nobody works on it
    return Watched(
        store.path,
        state,
        status.get("step", 0),
        status.get("steps"),
        store.read_curves(),
        store.read_estimates(),
        store.read_verdicts(),
    )
