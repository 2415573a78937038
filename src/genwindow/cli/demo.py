"""`genwindow demo`: the main job on embedded digits."""

from __future__ import annotations

import time
from collections.abc import Sequence

from genwindow.cli.arguments import make_parser, parse, writable_folder
from genwindow.cli.progress import ProgressBar


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
    with ProgressBar("training 4 models") as bar:

        def show(progress: SweepProgress) -> None:
            seen = ("-" if f_mem is None else f"{f_mem:.0%}" for _, _, f_mem in progress.states)
            bar.show(progress.done, "copies: " + " ".join(seen))

        found = run_demo(out, executor, seed=options.seed, on_progress=show)

    print(f"\n{text_table(found.runs)}\n")
    print("\n".join(findings(found.runs, found.scaling)))
    print(f"\nDone in {time.monotonic() - began:.0f} s. Numbers: {out / 'summary.json'}")
    print(f"Open in a browser: {(out / 'report.html').resolve().as_uri()}")
    return 0
