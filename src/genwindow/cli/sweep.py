"""`genwindow sweep`: a grid of runs, on this machine or a cluster."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from genwindow.cli.arguments import make_parser, parse
from genwindow.cli.executor import add_executor_options, make_executor
from genwindow.cli.progress import ProgressBar
from genwindow.cli.table import aligned
from genwindow.errors import GenwindowError, check, check_choice

if TYPE_CHECKING:
    from genwindow.sweep import Executor, Job

HELP = """usage: genwindow sweep run|status|retry FOLDER [options]

Many runs in one folder. The same command again goes on where it stopped and makes only what is new.

  run      make every run of the grid that is not done; Ctrl-C stops it, nothing is lost
  status   what is done, running, failed (and why), missing, and the time left
  retry    take up failed runs again, from their last checkpoints

`genwindow sweep run --help` lists the options. Example, six runs:
  genwindow sweep run runs/my-sweep --set data.n=32,64,128 --set train.seed=0,1 --set train.steps=2000
"""

QUESTIONS = ("run", "status", "retry")


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and do what they say."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0 if arguments else 2
    question, *rest = arguments
    check_choice("sweep", question, QUESTIONS)
    return {"run": _run, "status": _status, "retry": _retry}[question](rest)


def _run(arguments: Sequence[str]) -> int:
    parser = make_parser("sweep run", "Make every run of a grid that is not done yet.", "FOLDER")
    parser.add_argument("folder", type=str, help="the sweep's folder; runs asked for earlier in it are part of it")
    parser.add_argument("--grid", type=str | None, default=None, help="YAML or JSON file with base, runs and grid")
    parser.add_argument(
        "--set", action="append", default=[], help="NAME=VALUES, for example data.n=64,128 or train.seed=0..4"
    )
    parser.add_argument("--only", action="append", default=[], help="name of a run; make this one and no other")
    parser.add_argument("--dry-run", action="store_true", help="list the runs and stop; nothing is written")
    parser.add_argument("--emit", type=str | None, default=None, help="slurm: write an array job to stdout and stop")
    add_executor_options(parser)
    options = parse(parser, arguments)

    from genwindow.sweep import Grid, SweepFolder, parse_axis, read_grid, run_status

    sweep = SweepFolder(options.folder)
    axes: dict[str, list[object]] = {}
    for text in options.set:
        name, values = parse_axis(text)
        check(name not in axes, f"--set {name} is given twice; write its values in one, with commas")
        axes[name] = values
    given = bool(axes) or options.grid is not None
    check(given or sweep.exists, f"{sweep.path} holds no sweep yet; say what to run with --set or --grid")
    configs = (read_grid(options.grid) if options.grid else Grid()).with_axes(axes).configs() if given else ()
    executor = make_executor(options)
    jobs = sweep.find(configs) if given else sweep.jobs()
    if options.only:
        names = {job.folder.name for job in jobs}
        unknown = [name for name in options.only if name not in names]
        check(not unknown, f"--only {', '.join(unknown)}: no such run in {sweep.path}")
        jobs = [job for job in jobs if job.folder.name in options.only]
    if options.dry_run:
        print("\n".join(_table([run_status(job) for job in jobs])))
        return 0
    script = None if options.emit is None else _script(options, jobs)
    sweep.add(configs)  # now that nothing speaks against it
    if script is not None:
        print(script, end="")
        return 0
    return _work(sweep.path.name, jobs, executor, retry=False)


def _script(options: Namespace, jobs: Sequence[Job]) -> str:
    """The array job of the runs that are not done."""
    from genwindow.sweep import run_status
    from genwindow.sweep.slurm import slurm_script

    check_choice("--emit", options.emit, ("slurm",))
    open_jobs = [job for job in jobs if run_status(job).state != "done"]
    cpus = int(max(options.cpus_per_run, 1))
    return slurm_script(open_jobs, cpus=cpus, gpus=options.gpus_per_run, at_once=options.workers)


def _retry(arguments: Sequence[str]) -> int:
    parser = make_parser("sweep retry", "Take up failed runs again, from their last checkpoints.", "FOLDER")
    parser.add_argument("folder", type=str, help="the sweep's folder")
    add_executor_options(parser)
    options = parse(parser, arguments)
    from genwindow.sweep import SweepFolder, run_status

    jobs = [job for job in SweepFolder(options.folder).jobs() if run_status(job).state == "failed"]
    if not jobs:
        print(f"no run of {options.folder} has failed")
        return 0
    return _work(options.folder, jobs, make_executor(options), retry=True)


def _work(name: str, jobs: Sequence[Job], executor: Executor, *, retry: bool) -> int:
    """Make the runs and say how they ended; 1 when some failed."""
    from genwindow.runs import Interrupted
    from genwindow.sweep import read_progress, run_status
    from genwindow.sweep.jobs import forget_failure

    found = [run_status(job) for job in jobs]
    if retry:
        for status in found:
            forget_failure(status.job)
    known = [] if retry else [status for status in found if status.state == "failed"]
    todo = [s.job for s in found if s.state != "done" and s not in known]
    folder = jobs[0].folder.parent if jobs else name
    if todo:
        with ProgressBar(f"{len(todo)} runs") as bar:

            def show() -> None:
                progress = read_progress(todo)
                states = Counter(state for state, _, _ in progress.states)
                text = ", ".join(f"{states[s]} {s}" for s in ("done", "running", "failed", "waiting") if states[s])
                bar.show(progress.done, text)

            try:
                executor.run(todo, show)
            except Interrupted:
                print(f"\nstopped; every run in hand has a checkpoint. To go on: genwindow sweep run {folder}",
                      file=sys.stderr)  # fmt: skip
                return 130
            show()
    ended = [run_status(job) for job in jobs]
    failed = [status for status in ended if status.state == "failed"]
    done = sum(status.state == "done" for status in ended)
    print(f"{done} of {len(jobs)} runs done" + (f", {len(failed)} failed:" if failed else ""))
    for status in failed:
        print(f"  {status.job.folder.name}: {status.reason}")
    if failed:
        print(f"To try these again: genwindow sweep retry {folder}")
    if done:
        print(f"One page of all runs: genwindow report {folder}")
    return 1 if failed else 0


def _status(arguments: Sequence[str]) -> int:
    parser = make_parser(
        "sweep status", "What is done, running, failed (and why), missing, and the time left.", "FOLDER"
    )
    parser.add_argument("folder", type=str, help="the sweep's folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parse(parser, arguments)
    from genwindow.sweep import SweepFolder, run_status, time_left

    found = [run_status(job) for job in SweepFolder(options.folder).jobs()]
    running = sum(status.state == "running" for status in found)
    left = time_left(found, running or 1)
    counts = Counter(status.state for status in found)
    if options.json:
        print(json.dumps({"counts": counts, "left": left, "runs": [s.to_json() for s in found]}, indent=2))
        return 0
    print("\n".join(_table(found)))
    print("\n" + ", ".join(f"{counts[s]} {s}" for s in ("done", "running", "interrupted", "failed", "missing")))
    if left:
        workers = f"with {running} at a time as now" if running else "one run at a time; nobody works on them now"
        print(f"about {_duration(left)} left, {workers}")
    return 0


def _table(found: Sequence[object]) -> list[str]:
    from genwindow.runs import varying
    from genwindow.sweep import RunStatus

    rows = [s for s in found if isinstance(s, RunStatus)]
    if not rows:
        raise GenwindowError("the sweep has no runs")
    names = varying([s.job.config for s in rows])
    lines = [("run", *names, "state", "step", "")]
    for s, values in zip(rows, zip(*names.values(), strict=True) if names else [()] * len(rows), strict=True):
        note = s.reason or ("" if s.left is None else f"{_duration(s.left)} left")
        lines.append((s.job.folder.name, *values, s.state, f"{s.step:,} of {s.job.config.train.steps:,}", note))
    return aligned(lines)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
