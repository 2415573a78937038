"""Planned pilots: a plan carried out in a folder, within a budget of time, by any executor.

OUT/plan.json    settings of the pilots, size of the full run, pace of this machine
OUT/pilots/      their run folders: a sweep, which `genwindow sweep status` and `genwindow report` read too

The same call again goes on; a larger budget makes more of the same plan.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genwindow.data import open_images, split
from genwindow.data.points import LAWS
from genwindow.errors import GenwindowError, check
from genwindow.experiments.plan import SEEDS, Made, Round, enough_budget, next_round, smallest_size
from genwindow.report.window import UNKNOWN
from genwindow.runs import (
    Enough,
    Pace,
    RunConfig,
    RunFolder,
    RunResult,
    differences,
    measure_pace,
    to_json_text,
    write_atomically,
)
from genwindow.runs.data import build_data
from genwindow.sweep import Executor, Job, Processes, SweepFolder, run_status

MOST = 10_000_000
"""Steps after which a pilot is given up whatever its budget."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        base: settings of the pilots; n and seeds are the plan's.
        n: training images of the full run.
        first: of the smallest pilots.
        paces: (n, pace) of this machine, at two sizes.
        workers: runs at a time.
    """

    base: RunConfig
    n: int
    first: int
    paces: tuple[tuple[int, Pace], ...]
    workers: int

    def config(self, n: int, seed: int) -> RunConfig:
        """Settings of one pilot."""
        data = dataclasses.replace(self.base.data, n=n, seed=self.base.data.seed + seed)
        train = dataclasses.replace(self.base.train, steps=MOST, seed=self.base.train.seed + seed)
        return dataclasses.replace(self.base, data=data, train=train)

    def seconds_of(self, n: int, steps: float) -> float:
        """Of a run, measuring included; between the sizes that were tried, a step costs in proportion to its images."""
        (small, slow), (large, fast) = self.paces
        share = 0.0 if large == small else (min(n, self._batch) - small) / (large - small)
        step = max(slow.step + share * (fast.step - slow.step), min(slow.step, fast.step))
        return Pace(step, max(slow.measure, fast.measure)).seconds(self.config(n, 0), max(round(steps), 1))

    @property
    def _batch(self) -> int:
        return self.base.train.batch or MOST


def make_plan(base: RunConfig, n: int | None, executor: Executor) -> Plan:
    """Look at the data, measure the pace of this machine, and choose where to begin; nothing is written.

    Args:
        base: settings; n, length and seeds count as beginnings only.
        n: training images of the full run; None takes all that are not held out.
        executor: that will make the pilots.

    Raises:
        GenwindowError: for bad data or settings, or too few images for three sizes.
    """
    data = build_data(dataclasses.replace(base.data, n=1))
    if n is None:
        n = _all_of(base)
    check(n >= 1, f"--n must be at least 1, got {n}")
    first = smallest_size(base.train.batch, n)
    sizes = (first, min(4 * first, n))
    shape = tuple(data.train.shape[1:])
    sized = [dataclasses.replace(base, data=dataclasses.replace(base.data, n=size)) for size in sizes]
    paces = [measure_pace(config, shape, classes=data.classes, seconds=0.5) for config in sized]
    workers = executor.workers if isinstance(executor, Processes) else 1
    return Plan(base, n, first, tuple(zip(sizes, paces, strict=True)), workers)


def _all_of(base: RunConfig) -> int:
    """Images of the set that are neither held out nor reference images."""
    data = base.data
    drawn = data.source in LAWS or data.class_weights is not None
    check(not drawn, f"--n must say how many images of {data.source} the full run has")
    images = open_images(data.source, size=data.size, channels=data.channels)
    return len(split(images, 1, seed=data.seed, heldout=data.heldout, reference=data.reference).pool)


def begin_plan(plan: Plan, out: Path) -> Plan:
    """Write plan.json, or read the pace from the one that is there.

    Raises:
        GenwindowError: when the folder holds a plan with other settings, named.
    """
    file = out / "plan.json"
    if not file.exists():
        write_atomically(file, to_json_text({
            "settings": plan.base.to_json(), "n": plan.n, "first": plan.first,
            "paces": [{"n": n, "step": pace.step, "measure": pace.measure} for n, pace in plan.paces],
        }))  # fmt: skip
        return plan
    try:
        kept: dict[str, Any] = json.loads(file.read_text())
        theirs = RunConfig.from_json(kept["settings"])
        paces = tuple((int(p["n"]), Pace(float(p["step"]), float(p["measure"]))) for p in kept["paces"])
        n, first = int(kept["n"]), int(kept["first"])
    except GenwindowError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GenwindowError(f"{file} is damaged ({type(error).__name__}); delete it") from None
    different = differences(plan.base, theirs)
    if n != plan.n:
        different.append(f"n: {plan.n} against {n}")
    check(not different, f"{out} holds a plan with other settings ({'; '.join(different)}); choose another --out")
    return dataclasses.replace(plan, first=first, paces=paces)


def carry_out(
    plan: Plan,
    out: Path,
    budget: float,
    executor: Executor,
    *,
    on_wait: Callable[[float, str], None] = lambda share, why: None,
) -> tuple[list[RunResult], str]:
    """Make pilots until the plan is through or the budget spent.

    Args:
        plan: begun in `out`.
        out: its folder.
        budget: seconds on the clock, of all calls together.
        executor: makes the runs.
        on_wait: called often with the share of the budget that is spent and what goes on.

    Returns:
        The pilots, and why no further one was made.

    Raises:
        GenwindowError: when a pilot fails.
        Interrupted: after Ctrl-C; every run in hand has a checkpoint.
    """
    sweep = SweepFolder(out / "pilots")
    while True:
        made = pilots_made(sweep)
        todo = next_round(
            made, first=plan.first, largest=plan.n, budget=budget, workers=plan.workers, seconds_of=plan.seconds_of
        )
        if todo.n is None:
            return [RunFolder(job.folder).load() for job in sweep.jobs()] if sweep.exists else [], todo.why
        jobs = [
            dataclasses.replace(job, enough=Enough("tau_mem", todo.seconds))
            for job in sweep.add(plan.config(todo.n, seed) for seed in todo.seeds)
        ]

        def show(todo: Round = todo) -> None:
            spent = sum(run_status(job).seconds for job in sweep.jobs())
            on_wait(min(spent / min(plan.workers, len(SEEDS)) / budget, 1.0), todo.why)

        errors = [outcome.error for outcome in executor.run(jobs, show) if outcome.error]
        if errors:
            raise GenwindowError(f"{len(errors)} of {len(jobs)} pilots failed: {errors[0]}")


def pilots_made(sweep: SweepFolder) -> list[Made]:
    """What is known of the pilots that were begun."""
    found = []
    for job in sweep.jobs() if sweep.exists else []:
        if RunFolder(job.folder).exists:
            found.append(_made(job))
    return found


def _made(job: Job) -> Made:
    run = RunFolder(job.folder).load()
    return Made(run.n, job.config.train.seed, run.seconds, run.estimates.get("tau_mem", UNKNOWN))


def too_small(plan: Plan, made: Sequence[Made], why: str) -> str:
    """What to say when a budget gives no forecast."""
    if made and all(one.tau.status == "below_range" for one in made):
        return (
            "all pilots had begun to copy by their first measurement, so there is no forecast; measure earlier "
            "(measure.first), in another --out"
        )
    wanted = enough_budget(made, first=plan.first, workers=plan.workers, seconds_of=plan.seconds_of)
    known = any(one.tau.value for one in made)
    needed = f"{duration(wanted)} would do, as far as is known" if known else f"{duration(wanted)} is the least to try"
    return (
        f"{why}, so there is no forecast yet; --budget {needed}. The pilots are kept: the same command with a larger "
        "budget goes on with them"
    )


def duration(seconds: float) -> str:
    """`45s`, `12m` or `2.5h`, rounded up."""
    if seconds <= 120:
        return f"{max(int(-(-seconds // 1)), 1)}s"
    minutes = int(-(-seconds // 60))
    return f"{minutes}m" if minutes < 120 else f"{-(-seconds // 360) / 10:g}h"
