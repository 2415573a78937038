"""`genwindow demo`: the main job on embedded digits."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from genwindow.cli.arguments import make_parser, parse, writable_folder


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and run the demo."""
    parser = make_parser("demo", "Train on 8x8 digits with n = 32, 64, 128, 256 images and find the window of each.")
    parser.add_argument("--out", type=str, default="runs/demo", help="folder for runs, summary.json and report.html")
    parser.add_argument("--seed", type=int, default=0, help="which division of the images and which initial weights")
    parser.add_argument("--workers", type=int | None, default=None, help="processes; default: one for each core")
    options = parse(parser, arguments)

    from genwindow.experiments.demo import run_demo
    from genwindow.report import findings, text_table
    from genwindow.sweep import Processes, SweepProgress

    out = writable_folder(options.out)
    began = time.monotonic()
    executor = Processes(options.workers)
    with tqdm(
        desc="training 4 models", unit="step", unit_scale=True, file=sys.stderr, dynamic_ncols=True,
        mininterval=0.5 if sys.stderr.isatty() else 15,
    ) as bar:  # fmt: skip

        def show(progress: SweepProgress) -> None:
            if bar.total is None:
                bar.reset(total=progress.total)
                bar.initial = progress.done
            seen = [f"{f:.0%}" if f is not None else "-" for _, _, f in progress.states]
            bar.set_postfix_str("copies: " + " ".join(seen), refresh=False)
            bar.update(progress.done - bar.n)

        found = run_demo(out, executor, seed=options.seed, on_progress=show)

    print(f"\n{text_table(found.runs)}\n")
    print("\n".join(findings(found.runs, found.scaling)))
    print(f"\n{time.monotonic() - began:.0f} s. Numbers: {out / 'summary.json'}   Report: {_link(out / 'report.html')}")
    return 0


def _link(path: Path) -> str:
    return f"file://{path.resolve()}"
