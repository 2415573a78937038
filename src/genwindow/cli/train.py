"""`genwindow train`: one run in a folder of its own, resumable."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ActionConfigFile

from genwindow.cli.arguments import add_settings, data_source, make_parser, parse
from genwindow.cli.progress import ProgressBar
from genwindow.errors import GenwindowError, check

if TYPE_CHECKING:
    from genwindow.runs.config import RunConfig
    from genwindow.runs.store import RunFolder


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and train."""
    from genwindow.runs.config import RunConfig

    parser = make_parser(
        "train",
        "Train one diffusion model and measure quality and copying along the way. The same command again resumes. "
        "Example: genwindow train --data my_images/ --data.size 32 --data.n 500 --net.kind unet --net.width 32",
    )
    parser.add_argument("--config", action=ActionConfigFile, help="JSON or YAML file with settings")
    parser.add_argument("--out", type=str | None, default=None, help="run folder; default: runs/<source>-n<n>-<digest>")
    parser.add_argument(
        "--forecast", type=str | None, default=None, help="forecast.json of pilots, for the monitor to start from"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check settings and images, time a few steps, print it all, and stop"
    )
    add_settings(parser)
    options = parse(parser, [data_source(argument) for argument in arguments])
    tree = {k: v for k, v in options.as_dict().items() if k not in ("config", "out", "forecast", "dry_run")}
    config = RunConfig.from_json(tree)
    if options.forecast is not None:
        config = _with_forecast(config, Path(options.forecast))
    if options.dry_run:
        return _look_ahead(config)

    from genwindow.experiments.live import LivePage
    from genwindow.report import findings, text_table
    from genwindow.runs import Interrupted, Progress, RunFolder, execute

    source = Path(config.data.source).stem or "data"
    out = Path(options.out or Path("runs") / f"{source}-n{config.data.n}-{config.digest}")
    live = LivePage(out, f"{source}, n = {config.data.n}")
    with ProgressBar(f"n = {config.data.n}") as bar:

        def show(progress: Progress) -> None:
            copies = "" if progress.f_mem is None else f", copies: {progress.f_mem:.1%}"
            bar.show(progress.done, f"step {progress.step:,}{copies}")
            live.renew()

        try:
            result = execute(config, out, on_progress=show)
        except Interrupted:
            step = RunFolder(out).read("status")["step"]
            print(f"\nstopped at step {step} with a checkpoint in {out}", file=sys.stderr)
            print(f"to go on: genwindow train {shlex.join(arguments)}", file=sys.stderr)
            return 130
    if int(os.environ.get("RANK", "0")) > 0:
        return 0  # the first process of a crew speaks for all
    report = live.write(result)
    print(f"\n{text_table([result])}\n\n{' '.join(findings([result]))}\n")
    print(_weights_kept(RunFolder(out)))
    print(f"Open in a browser: {report.resolve().as_uri()}")
    return 0


def _look_ahead(config: RunConfig) -> int:
    """Print every setting; on stderr what the run would be made of and how long it would take here."""
    from genwindow.nets import count_parameters
    from genwindow.report.tables import duration
    from genwindow.runs import measure_pace
    from genwindow.runs.build import build_denoiser, check_run
    from genwindow.runs.data import build_data
    from genwindow.train import resolve_device

    data = build_data(config.data)
    check_run(config, data)
    device = resolve_device(config.device)
    print(json.dumps(config.to_json(), indent=2))
    shape = tuple(data.train.shape[1:])
    weights = count_parameters(build_denoiser(config, shape, data.classes))
    points, size = ("points", f"{shape[0]} numbers") if len(shape) == 1 else ("images", "x".join(map(str, shape)))
    print(
        f"{len(data.train)} training {points} of {size} from {data.source}, {len(data.heldout)} held out, "
        f"{len(data.reference)} for reference; {config.net.kind} of width {config.net.width} with "
        f"{weights:,} parameters. {data.groups and data.groups + ' '}Timing a few steps on {device} ...",
        file=sys.stderr,
    )
    pace = measure_pace(config, shape, classes=data.classes)
    whole = pace.seconds(config, config.train.steps)
    print(
        f"A step takes {1000 * pace.step:.3g} ms here; {config.train.steps:,} steps with all measuring "
        f"{'less than a second' if whole < 1 else f'about {duration(whole)}'}. Nothing was written.",
        file=sys.stderr,
    )
    return 0


def _weights_kept(store: RunFolder) -> str:
    """Which weights there are, and how to draw from them."""
    steps = {name: kept[0] for name in ("best", "stop", "final") if (kept := store.read_snapshot(name)) is not None}
    named = ", ".join(f"{name} (step {step:,})" for name, step in steps.items())
    command = shlex.join(
        ["genwindow", "sample", str(store.path), "--weights", next(iter(steps), "final"), "--n", "500"]
    )
    return f"Weights kept: {named}. Images from them: {command}"


def _with_forecast(config: RunConfig, path: Path) -> RunConfig:
    """The settings with what a `forecast.json` says about tau_mem of this run.

    Raises:
        GenwindowError: when the file cannot be read, is no forecast, or was made for another run, as far as it says so.
    """
    from genwindow.analysis.forecast import prior_from_json
    from genwindow.experiments.pilots import check_carried

    try:
        data = json.loads(path.read_text())
        tau = prior_from_json(data)
    except OSError as error:
        raise GenwindowError(f"--forecast {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        kind = error if isinstance(error, GenwindowError) else f"it is no JSON ({error})"
        raise GenwindowError(f"--forecast {path}: {kind}") from None
    ours = {"n": config.data.n, "batch": config.batch_size, "width": config.net.width}
    other = [
        f"{name} = {data[name]:g} there, {own} here"
        for name, own in ours.items()
        if isinstance(data.get(name), int | float) and data[name] != own
    ]
    check(not other, f"--forecast {path} was made for another run: {', '.join(other)}")
    settings = data.get("settings", {})
    check(isinstance(settings, dict), f"--forecast {path}: settings must be a table, got {settings!r:.40}")
    try:
        check_carried(settings, config)
    except GenwindowError as error:
        raise GenwindowError(f"--forecast {path}: {error}") from None
    assert tau.low is not None and tau.value is not None and tau.high is not None
    told = dataclasses.replace(config.measure, forecast=(tau.low, tau.value, tau.high))
    return dataclasses.replace(config, measure=told)
