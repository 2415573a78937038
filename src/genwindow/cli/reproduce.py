"""`genwindow reproduce`: an experiment of the paper, from its runs to its page."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from genwindow.cli.arguments import make_parser, parse, writable_folder
from genwindow.cli.progress import ProgressBar
from genwindow.cli.sweep import add_executor_options, make_executor


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and reproduce."""
    parser = make_parser(
        "reproduce",
        "Reproduce an experiment of the paper: n-sweep, w-sweep, phase, batch, optimizer, threshold, or all. "
        "The same command again goes on where it stopped.",
        positional="NAME",
    )
    parser.add_argument("name", type=str, help="n-sweep, w-sweep, phase, batch, optimizer, threshold, or all")
    parser.add_argument("--scale", type=str, default="cpu", help="smoke (seconds), cpu (up to 20 minutes), or paper")
    parser.add_argument("--data", type=str | None, default=None, help="other images: a named set or a path")
    parser.add_argument("--device", type=str | None, default=None, help="cpu, cuda, auto; default: the scale's own")
    parser.add_argument("--out", type=str, default="runs/reproduce", help="folder for all experiments")
    parser.add_argument("--dry-run", action="store_true", help="list the runs with memory and estimated cost, and stop")
    add_executor_options(parser)
    options = parse(parser, arguments)

    from genwindow.experiments.reproduce import MODULES, experiment_configs, reproduce

    names = list(MODULES) if options.name == "all" else [options.name]
    if options.dry_run:
        for name in names:
            print("\n".join(_costs(name, experiment_configs(name, options.scale, options.data, options.device))))
        return 0
    for name in names:  # a wrong name or scale stops here, before anything is written
        experiment_configs(name, options.scale, options.data, options.device)
    executor = make_executor(options)
    out = writable_folder(options.out)

    from genwindow.sweep import SweepProgress

    for name in names:
        began = time.monotonic()
        with ProgressBar(name) as bar:

            def show(progress: SweepProgress, bar: ProgressBar = bar) -> None:
                states = Counter(state for state, _, _ in progress.states)
                bar.show(progress.done, ", ".join(f"{n} {state}" for state, n in states.items()))

            found = reproduce(
                name, options.scale, out, executor, data=options.data, device=options.device, on_progress=show
            )
        page = out / options.scale / name / "report.html"
        print(f"\n{name}, {options.scale} scale\n")
        print("\n".join(found.sentences))
        print(f"\nDone in {time.monotonic() - began:.0f} s. Open in a browser: {page.resolve().as_uri()}")
    return 0


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
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    table = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    total = sum(cost.hours for cost in costs)
    assumed = f"at {SUSTAINED / 1e12:.0f} TFLOP/s sustained, an assumption; memory is of the training step"
    return [f"{name}: {len(runs)} runs, {total:.3g} GPU hours in all {assumed}", "", *table, ""]
