"""`genwindow forecast plan`: chooses pilots within a budget of time, makes them, and forecasts."""

from __future__ import annotations

import dataclasses
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from genwindow.cli.arguments import add_settings, data_source, make_parser, parse, writable_folder
from genwindow.cli.executor import add_executor_options, make_executor
from genwindow.cli.progress import ProgressBar
from genwindow.errors import GenwindowError, check

PLANNED = ("data.n", "train.steps", "config")
"""Options of `genwindow train` that the plan decides itself."""


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments`, make the pilots and forecast."""
    from genwindow.runs.config import RunConfig

    parser = make_parser(
        "forecast plan",
        "Choose pilots within a budget of time, make them, and forecast the full run. Settings are those of `genwindow "
        "train`; they must be the full run's. The same command again goes on; a larger budget goes further. Example: "
        "genwindow forecast plan --data my_images/ --budget 2h --n 5000 --data.size 32 --net.kind unet --net.width 32",
    )
    parser.add_argument("--budget", type=str, required=True, help="time on the clock for all pilots: 20m, 2h, 1h30m")
    parser.add_argument("--n", type=int | None, default=None, help="training images of the full run; default: all")
    parser.add_argument("--steps", type=int | None, default=None, help="also: how many images so long a run needs")
    parser.add_argument("--out", type=str | None, default=None, help="folder; default: runs/forecast-<source>")
    parser.add_argument("--dry-run", action="store_true", help="say the plan and its time, and stop")
    add_settings(parser)
    add_executor_options(parser)
    given = [data_source(argument) for argument in arguments]
    options = parse(parser, given)
    for name in PLANNED:
        clash = any(word == f"--{name}" or word.startswith(f"--{name}=") for word in given)
        check(not clash, f"--{name} is the plan's to choose{'; say --n for the full run' if name == 'data.n' else ''}")
    check(options.steps is None or options.steps >= 1, f"--steps must be at least 1, got {options.steps}")
    budget = parse_duration(options.budget)
    tree = options.as_dict()
    config = RunConfig.from_json({field.name: tree[field.name] for field in dataclasses.fields(RunConfig)})
    check(config.measure.samples > 0, "a forecast needs samples: measure.samples must be above 0")

    from genwindow.experiments.forecast import forecast_runs, pace_here
    from genwindow.experiments.plan import FIRST_SHARE, SEEDS
    from genwindow.experiments.planned import begin_plan, carry_out, duration, make_plan, pilots_made, too_small
    from genwindow.report import expectation_sentences, write_forecast
    from genwindow.runs import Interrupted
    from genwindow.sweep import SweepFolder

    executor = make_executor(options)
    plan = make_plan(config, options.n, executor)
    name = Path(config.data.source).stem or "data"
    out = Path(options.out or f"runs/forecast-{name}")
    slow = plan.seconds_of(plan.first, 1000)
    print(
        f"The full run: n = {plan.n}. A pilot of {plan.first} images takes {1000 * plan.paces[0][1].step:.3g} ms a "
        f"step here, {duration(slow)} for 1000 steps with what is measured.\n"
        f"Plan: {len(SEEDS)} pilots with n = {plan.first} until they copy, in {duration(FIRST_SHARE * budget)} at "
        f"most; then two larger sizes, each up to twice the one before, as large as the rest of "
        f"{duration(budget)} of training and measuring allows."
    )
    few = FIRST_SHARE * budget * min(plan.workers, len(SEEDS)) / (slow * len(SEEDS))
    if few < 1:
        print(
            f"That is time for {1000 * few:.0f} steps of each: most likely not enough. A smaller network would do it."
        )
    if options.dry_run:
        print(f"Nothing was written. Time: {duration(budget)} at most, with {plan.workers} at a time.")
        return 0
    plan = begin_plan(plan, writable_folder(out))
    with ProgressBar("pilots") as bar:
        try:
            runs, why = carry_out(plan, out, budget, executor, on_wait=bar.show)
        except Interrupted:
            print("\nstopped; every pilot in hand has a checkpoint", file=sys.stderr)
            print(f"to go on: genwindow forecast plan {shlex.join(arguments)}", file=sys.stderr)
            return 130
        bar.show(1.0, why)
    if len({one.n for one in runs if one.estimates.get("tau_mem") and one.estimates["tau_mem"].found}) < 2:
        raise GenwindowError(too_small(plan, pilots_made(SweepFolder(out / "pilots")), why))
    found = forecast_runs(runs, plan.n, steps=options.steps, pace_of=pace_here)
    write_forecast(found, out, f"Forecast for {name}, n = {plan.n}")
    page = out / "forecast.html"
    print("\n" + "\n".join(expectation_sentences(found)))
    print(f"\nPilots: {why}. Numbers: {out / 'forecast.json'}. Open in a browser: {page.resolve().as_uri()}")
    return 0


def parse_duration(text: str) -> float:
    """`90s`, `20m`, `2h`, `1h30m`, `1.5h` in seconds.

    Raises:
        GenwindowError: for anything else, and for no time at all.
    """
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text.strip())
    parts = [] if found is None else [float(part or 0) for part in found.groups()]
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    check(seconds > 0, f"--budget must be a time above 0 such as 90s, 20m, 2h or 1h30m, got {text!r}")
    return seconds
