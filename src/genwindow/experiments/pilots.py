"""Pilots: small runs that a forecast is made from. They must be alike, and like the run that is to be forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from genwindow.analysis.expectation import PilotRun
from genwindow.analysis.forecast import Pilot
from genwindow.curve import Estimate
from genwindow.errors import GenwindowError, check
from genwindow.report.window import UNKNOWN
from genwindow.report.words import last_step
from genwindow.runs import RunConfig, RunFolder, RunResult, flat
from genwindow.sweep.grid import Loader

MAY_DIFFER = ("data.n", "data.seed", "train.seed", "train.steps", "train.stop_in_window", "device")
"""Settings in which pilots may differ; the length of a run may, since what it did not reach is a bound."""

WIDTH = "net.width"
MEASURING = "measure."
"""A full run may be measured otherwise than its pilots; they must agree with one another."""


def read_pilots(folders: Sequence[Path]) -> list[RunResult]:
    """Load run folders, each once however often it is named.

    Raises:
        GenwindowError: naming the first one that is damaged, was never measured, or is a copy of another.
    """
    runs: list[RunResult] = []
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        try:
            run = RunFolder(folder).load()
        except GenwindowError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise GenwindowError(f"{folder} is damaged ({type(error).__name__}: {error})") from None
        check("tau_mem" in run.estimates, f"{folder} has no estimate of tau_mem yet; leave it out or let it run on")
        twin = next((one for one in runs if one.config.digest == run.config.digest), None)
        check(twin is None, f"{folder} and {twin and twin.folder} are the same run; give one of them")
        runs.append(run)
    return runs


def read_target(path: Path) -> RunConfig:
    """The settings of the full run: from its folder, or from a file of settings (JSON or YAML).

    Raises:
        GenwindowError: when there are none.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        data: Any = yaml.load(file.read_text(), Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise GenwindowError(f"--target {file} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise GenwindowError(f"--target {file} is neither JSON nor YAML: {' '.join(str(error).split())}") from None
    check(isinstance(data, Mapping), f"--target {file} holds no settings of a run")
    return RunConfig.from_json(data)


def check_alike(runs: Sequence[RunResult], *, widths: bool = False) -> None:
    """Refuse pilots that differ in more than n, seeds and length, and with `widths` the width.

    Raises:
        GenwindowError: naming what differs.
    """
    allowed = (*MAY_DIFFER, WIDTH) if widths else MAY_DIFFER
    tables = [flat(run.config) for run in runs]
    differing = [
        f"{name} ({', '.join(dict.fromkeys(str(table[name]) for table in tables))})"
        for name in tables[0]
        if name not in allowed and len({str(table[name]) for table in tables}) > 1
    ]
    hint = "; to forecast across widths, name that of the full run with --width" if differing and all(
        name.startswith(WIDTH) for name in differing
    ) else ""  # fmt: skip
    check(not differing, f"pilots must differ in n, seed and length only; these differ in {', '.join(differing)}{hint}")


def carried_settings(runs: Sequence[RunResult], *, widths: bool = False) -> dict[str, str]:
    """The settings that the full run must share with its pilots, by name, as text."""
    allowed = (*MAY_DIFFER, WIDTH) if widths else MAY_DIFFER
    return {
        name: str(value)
        for name, value in flat(runs[0].config).items()
        if name not in allowed and not name.startswith(MEASURING)
    }


def check_carried(settings: Mapping[str, str], target: RunConfig) -> None:
    """Refuse to extrapolate to a run with other settings.

    Args:
        settings: of the pilots, as `carried_settings` gives them; names that are no settings any more are left out.
        target: the full run.

    Raises:
        GenwindowError: naming what differs, the learning rate, the batch or the network for example.
    """
    theirs = flat(target)
    differing = [
        f"{name} ({ours} in the pilots, {theirs[name]} in the full run)"
        for name, ours in settings.items()
        if name in theirs and ours != str(theirs[name])
    ]
    check(not differing, f"a forecast cannot be carried over to other settings: {', '.join(differing)}")


def check_batch(runs: Sequence[RunResult], n: int) -> None:
    """Refuse pilots that see all their images at every step when the full run will not: that is another clock.

    Raises:
        GenwindowError: naming the pilots.
    """
    batch = runs[0].config.train.batch
    small = sorted({run.n for run in runs if run.n < batch})
    if not small or n <= batch:
        return
    named = ", ".join(map(str, small))
    raise GenwindowError(
        f"the batch rule differs: pilots with n = {named} see all their images at every step of {batch}, the run with "
        f"n = {n} does not; leave them out, or make pilots with train.batch={min(small)} or with train.batch=0"
    )


def pilot(run: RunResult, name: str, *, width: bool = False) -> Pilot:
    """A run as a pilot of one event, `tau_mem` or `tau_mem_loss`."""
    return Pilot(run.n, run.estimates.get(name, UNKNOWN), run.config.net.width if width else None)


def pilot_run(run: RunResult) -> PilotRun:
    """What it cost and found."""
    times: list[Estimate] = [run.estimates.get(name, UNKNOWN) for name in ("tau_gen", "tau_mem", "tau_mem_loss")]
    return PilotRun(run.n, run.config.net.width, run.config.train.seed, int(last_step(run) or 0), run.seconds, *times)
