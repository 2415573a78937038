"""`genwindow reproduce`: an experiment of the paper, from its runs to its page."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from genwindow.cli.arguments import make_parser, parse, writable_folder
from genwindow.cli.executor import add_executor_options, make_executor
from genwindow.cli.progress import ProgressBar
from genwindow.cli.table import aligned
from genwindow.errors import check, check_choice

if TYPE_CHECKING:
    from genwindow.experiments.experiment import Finding
    from genwindow.sweep import Executor

NAMES = (
    "n-sweep, w-sweep, phase, batch, optimizer, threshold, mixture, guidance, flow, fixed-t, heavy-tails, stop-rule, "
    "forecast, random-features, supervised, or all"
)


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and reproduce."""
    parser = make_parser(
        "reproduce",
        f"Reproduce an experiment of the paper: {NAMES}. The same command again goes on where it stopped. "
        "Experiments whose models are no diffusion runs (random-features, supervised) always use local processes.",
        positional="NAME",
    )
    parser.add_argument("name", type=str, help=NAMES)
    parser.add_argument(
        "--scale",
        type=str,
        default="cpu",
        help="smoke (seconds), cpu (minutes to hours; --dry-run estimates), or paper",
    )
    parser.add_argument("--data", type=str | None, default=None, help="other images: a named set or a path")
    parser.add_argument("--device", type=str | None, default=None, help="cpu, cuda, auto; default: the scale's own")
    parser.add_argument("--out", type=str, default="runs/reproduce", help="folder for all experiments")
    parser.add_argument("--dry-run", action="store_true", help="list the runs with memory and estimated cost, and stop")
    add_executor_options(parser)
    options = parse(parser, arguments)

    from genwindow.data.named import check_source
    from genwindow.experiments.experiment import SMOKE
    from genwindow.experiments.reproduce import MODULES, STUDIES, experiment_configs, study, takes_images

    check_choice("experiment", options.name, (*MODULES, *STUDIES, "all"))
    names = [*MODULES, *STUDIES] if options.name == "all" else [options.name]
    fits = options.data is None or options.name == "all" or takes_images(options.name)
    check(fits, f"{options.name} makes its own data; leave --data out")
    if options.data is not None:
        check_source(options.data)
    if options.dry_run:
        for name in names:
            lines = (
                _cases(name, study(name).cases(options.scale, options.device))
                if name in STUDIES
                else _costs(name, experiment_configs(name, options.scale, options.data, options.device))
            )
            print("\n".join(lines))
        return 0
    for name in names:  # a wrong scale or device stops here, before anything is written
        if name in STUDIES:
            study(name).cases(options.scale, options.device)
        else:
            experiment_configs(name, options.scale, options.data, options.device)
    executor = make_executor(options)
    out = writable_folder(options.out)
    for name in names:
        began = time.monotonic()
        with ProgressBar(name) as bar:
            if name in STUDIES:
                found = _run_study(name, out, options, bar)
            else:
                found = _run_experiment(name, out, executor, options, bar)
        page = out / options.scale / name / "report.html"
        print(f"\n{name}, {options.scale} scale\n")
        print("\n".join([SMOKE, *found.sentences] if options.scale == "smoke" else found.sentences))
        print(f"\nDone in {time.monotonic() - began:.0f} s. Open in a browser: {page.resolve().as_uri()}")
    return 0


def _run_experiment(name: str, out: Path, executor: Executor, options: Namespace, bar: ProgressBar) -> Finding:
    from genwindow.experiments.reproduce import reproduce
    from genwindow.sweep import SweepProgress

    def show(progress: SweepProgress) -> None:
        states = Counter(state for state, _, _ in progress.states)
        bar.show(progress.done, ", ".join(f"{n} {state}" for state, n in states.items()))

    return reproduce(name, options.scale, out, executor, data=options.data, device=options.device, on_progress=show)


def _run_study(name: str, out: Path, options: Namespace, bar: ProgressBar) -> Finding:
    from genwindow.experiments.reproduce import study
    from genwindow.experiments.study import run_study
    from genwindow.sweep import Processes

    workers = 1 if options.executor == "inline" else Processes(options.workers).workers
    return run_study(study(name), options.scale, out, workers=workers, device=options.device, on_progress=bar.show)


def _cases(name: str, cases: Sequence[object]) -> list[str]:
    from genwindow.experiments.study import varying_settings

    columns = varying_settings(cases)
    lines = [tuple(columns), *zip(*columns.values(), strict=True)]
    return [f"{name}: {len(cases)} models, each trained in one go by a local process", "", *aligned(lines), ""]


def _costs(name: str, configs: Sequence[object]) -> list[str]:
    from genwindow.experiments.cost import SUSTAINED, estimate_cost
    from genwindow.runs import RunConfig, varying

    runs = [config for config in configs if isinstance(config, RunConfig)]
    costs = [estimate_cost(config) for config in runs]
    columns = varying(runs)
    head = (*columns, "parameters", "memory", "operations", "GPU hours")
    lines = [head]
    for values, cost in zip(zip(*columns.values(), strict=True), costs, strict=True):
        numbers = (f"{cost.parameters:,}", f"{cost.memory / 2**30:.2f} GiB", f"{cost.operations:.1e}",
                   f"{cost.hours:.2g}")  # fmt: skip
        lines.append((*values, *numbers))
    total = sum(cost.hours for cost in costs)
    assumed = f"at {SUSTAINED / 1e12:.0f} TFLOP/s sustained, an assumption; memory is of the training step"
    return [f"{name}: {len(runs)} runs, {total:.3g} GPU hours in all {assumed}", "", *aligned(lines), ""]
