"""`genwindow forecast`: when will copying begin on the full data set? From a few small, cheap runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from genwindow.cli.arguments import make_parser, parse
from genwindow.cli.report import run_folders
from genwindow.errors import check


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and forecast."""
    parser = make_parser(
        "forecast",
        "When will copying begin on the full data set? From small pilot runs of at least three sizes with equal "
        "settings. Example: genwindow sweep run pilots --set data.n=16,32,64 --set train.seed=0,1 --set "
        "train.steps=8000, then genwindow forecast --pilots pilots --n 1000",
    )
    parser.add_argument("--pilots", nargs="+", type=str, required=True, help="run folders, or folders that hold them")
    parser.add_argument("--n", type=int, required=True, help="number of training images of the full run")
    parser.add_argument("--steps", type=int | None, default=None, help="also: how many images so long a run needs")
    parser.add_argument("--out", type=str | None, default=None, help="folder for forecast.json and forecast.png")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parse(parser, arguments)
    check(options.steps is None or options.steps >= 1, f"--steps must be at least 1, got {options.steps}")

    from genwindow.experiments.forecast import forecast_runs, images_needed
    from genwindow.report import png
    from genwindow.runs import RunFolder, to_json_text, write_atomically

    folders = [folder for given in options.pilots for folder in run_folders(Path(given))]
    found = forecast_runs([RunFolder(folder).load() for folder in folders], options.n)
    sentences = list(found.sentences)
    needed = None
    if options.steps is not None:
        straight = next(line for line in found.lines if line.shape == "power law")
        needed = images_needed(straight, options.steps)
        sentences.append(
            f"To train {options.steps} steps without copies, at 95 % confidence: {needed:.0f} images."
            if needed is not None
            else f"No number of images up to a billion is known to allow {options.steps} steps."
        )
    answer = {**found.to_json(), "sentences": sentences, "images_needed": needed}
    if options.out is not None:
        out = Path(options.out)
        write_atomically(out / "forecast.json", to_json_text(answer))
        png(found.figure(), out / "forecast.png")
    print(json.dumps(answer, indent=2) if options.json else "\n".join(sentences))
    if options.out is not None and not options.json:
        print(f"\nNumbers: {out / 'forecast.json'}. Figure: {out / 'forecast.png'}")
    return 0
