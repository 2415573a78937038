"""`genwindow forecast`: when will copying begin on the full data set? From a few small, cheap runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from genwindow.cli.arguments import make_parser, parse, run_folders, writable_folder
from genwindow.errors import check

EXAMPLE = (
    "When will copying begin on the full data set? From small pilot runs of at least three sizes with equal settings. "
    "`genwindow forecast plan --data DIR --budget 2h` chooses and makes the pilots itself. Or make them by hand: "
    "genwindow sweep run pilots --set data.n=16,32,64 --set train.seed=0,1 --set train.steps=8000 --set train.batch=0, "
    "then genwindow forecast --pilots pilots --n 1000"
)


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and forecast."""
    if arguments and arguments[0] == "plan":
        from genwindow.cli.forecast_plan import run as run_plan

        return run_plan(arguments[1:])
    parser = make_parser("forecast", EXAMPLE)
    parser.add_argument("--pilots", nargs="+", type=str, help="run folders, or folders that hold them")
    parser.add_argument("--n", type=int | None, default=None, help="number of training images of the full run")
    parser.add_argument(
        "--width", type=int | None, default=None, help="net.width of the full run, if pilots differ in it"
    )
    parser.add_argument(
        "--target", type=str | None, default=None, help="the full run: its folder, or a file of settings"
    )
    parser.add_argument("--steps", type=int | None, default=None, help="also: how many images so long a run needs")
    parser.add_argument("--truth", nargs="+", type=str, default=[], help="full runs made for real, to compare with")
    parser.add_argument("--pace", type=bool, default=True, help="measure the speed of the full run here, two seconds")
    parser.add_argument("--out", type=str | None, default=None, help="folder for forecast.json, .html and .png")
    parser.add_argument("--title", type=str, default="Forecast", help="heading of the page")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parse(parser, arguments)
    check(bool(options.pilots), "--pilots must name runs on fewer images; `genwindow forecast plan` makes them")
    check(options.steps is None or options.steps >= 1, f"--steps must be at least 1, got {options.steps}")
    given = options.n is not None or options.target is not None or options.truth
    check(bool(given), "--n must say how many training images the full run has, or --target name the run")

    from genwindow.experiments.forecast import forecast_runs, pace_here
    from genwindow.experiments.pilots import carried_settings, check_carried, read_pilots, read_target
    from genwindow.report import expectation_sentences, write_forecast

    target = None if options.target is None else read_target(Path(options.target))
    runs = read_pilots([folder for given in options.pilots for folder in run_folders(Path(given))])
    truth = read_pilots([folder for given in options.truth for folder in run_folders(Path(given))])
    several = len({one.config.net.width for one in runs}) > 1
    for one in truth:
        check_carried(carried_settings(runs, widths=several), one.config)
    n = options.n if options.n is not None else target.data.n if target is not None else max(one.n for one in truth)
    width = options.width
    if width is None and several:
        full = target if target is not None else truth[0].config if truth else None
        width = None if full is None else full.net.width
    found = forecast_runs(
        runs, n, width=width, target=target, steps=options.steps, pace_of=pace_here if options.pace else None
    )
    sentences = expectation_sentences(found)
    if truth:
        from genwindow.experiments.forecast_truth import against_truth

        sentences += tuple(against_truth("Against the truth", runs, truth)[0])
    if options.out is not None:
        write_forecast(
            found, writable_folder(options.out), options.title, [(one.n, one.estimates["tau_mem"]) for one in truth]
        )
    print(json.dumps({**found.to_json(), "sentences": sentences}, indent=2) if options.json else "\n".join(sentences))
    if options.out is not None and not options.json:
        page = Path(options.out) / "forecast.html"
        print(f"\nNumbers: {page.with_suffix('.json')}. Open in a browser: {page.resolve().as_uri()}")
    return 0
