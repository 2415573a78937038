"""`genwindow train`: one run in a folder of its own, resumable."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ActionConfigFile
from tqdm import tqdm

from genwindow.cli.arguments import make_parser, parse


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and train."""
    from genwindow.runs.config import RunConfig

    parser = make_parser(
        "train",
        "Train one diffusion model and measure quality and copying along the way. The same command again resumes. "
        "Example: genwindow train --data.source my_images/ --data.size 32 --data.n 500 --net.kind unet --net.width 32",
    )
    parser.add_argument("--config", action=ActionConfigFile, help="JSON or YAML file with settings")
    parser.add_argument("--out", type=str | None, default=None, help="run folder; default: runs/<source>-n<n>-<digest>")
    parser.add_argument("--dry-run", action="store_true", help="print the full configuration and stop")
    parser.add_class_arguments(RunConfig)
    options = parse(parser, arguments)
    tree = {k: v for k, v in options.as_dict().items() if k not in ("config", "out", "dry_run")}
    config = RunConfig.from_json(tree)
    if options.dry_run:
        print(json.dumps(config.to_json(), indent=2))
        return 0

    from genwindow.experiments.comparison import compare
    from genwindow.report import findings, text_table, write_page
    from genwindow.runs import Interrupted, Progress, execute

    source = Path(config.data.source).stem or "data"
    out = Path(options.out or Path("runs") / f"{source}-n{config.data.n}-{config.digest}")
    with tqdm(
        desc=f"n = {config.data.n}", total=config.train.steps, unit="step", file=sys.stderr, dynamic_ncols=True,
        mininterval=0.5 if sys.stderr.isatty() else 15,
    ) as bar:  # fmt: skip

        def show(progress: Progress) -> None:
            if bar.n == 0 and progress.step > 1:
                bar.initial = bar.n = progress.step
            bar.update(progress.step - bar.n)
            if progress.f_mem is not None:
                bar.set_postfix_str(f"copies: {progress.f_mem:.1%}", refresh=False)

        try:
            result = execute(config, out, on_progress=show)
        except Interrupted:
            bar.close()
            print(
                f"\nstopped at step {bar.n} with a checkpoint in {out}; to go on: {_again(arguments)}", file=sys.stderr
            )
            return 130
        bar.update(config.train.steps - bar.n)
    report = out / "report.html"
    write_page(report, compare([result]).page(f"{source}, n = {config.data.n}"))
    print(f"\n{text_table([result])}\n\n{' '.join(findings([result]))}\n\nReport: file://{report.resolve()}")
    return 0


def _again(arguments: Sequence[str]) -> str:
    import shlex

    return f"genwindow train {shlex.join(arguments)}".rstrip()
