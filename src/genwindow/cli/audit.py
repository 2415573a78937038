"""`genwindow audit`: do generated images copy training images?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from genwindow.cli.arguments import check_folder, check_place, make_parser, parse, writable_folder
from genwindow.cli.progress import ProgressBar
from genwindow.errors import check, check_number

SPACES = (
    "separated by commas: pixels, pca, random-conv, mobilenet-v2, efficientnet-lite0, sscd:PATH, torchscript:PATH, "
    "onnx:PATH"
)


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments` and audit. Exit code 1 when --fail-above is exceeded."""
    parser = make_parser(
        "audit",
        "Do generated images copy training images? Folders, .zip, .tar, .npy, .npz or named sets. Writes audit.html "
        "with the most suspicious pairs, audit.json, pairs.csv and model-card.md. Try it: genwindow audit --demo",
    )
    parser.add_argument("--train", type=str | None, default=None, help="the training images")
    parser.add_argument("--generated", type=str | None, default=None, help="the generator's samples")
    parser.add_argument("--heldout", type=str | None, default=None, help="real images never trained on; advisable")
    parser.add_argument("--out", type=str, default="audit", help="folder for the results")
    parser.add_argument("--size", type=int | None, default=None, help="crop and resize all images to this side")
    parser.add_argument("--channels", type=Literal["grey", "colour"] | None, default=None, help="grey or colour")
    parser.add_argument("--spaces", type=str, default="pixels,random-conv", help=SPACES)
    parser.add_argument("--false-positive-rate", type=float, default=0.01, help="share of real images that may count")
    parser.add_argument("--discovery-rate", type=float, default=0.05, help="share of copied_train that may be false")
    parser.add_argument("--target", type=float, default=0.01, help="copy rate that must not go unseen")
    parser.add_argument("--fail-above", type=float | None, default=None, help="exit code 1 for a higher copy rate")
    parser.add_argument("--allow-leak", action="store_true", help="leave out held-out images that are training images")
    parser.add_argument("--cache", type=str | None, default=None, help="folder to keep features in, for the next audit")
    parser.add_argument(
        "--index", type=Literal["exact", "faiss"], default="exact", help="faiss: kept in --cache, reused"
    )
    parser.add_argument(
        "--device", type=str | None, default=None, help="where neighbours are searched: cpu, cuda, auto"
    )
    parser.add_argument("--redact", action="store_true", help="no images and no file names in the results")
    parser.add_argument("--demo", action="store_true", help="planted copies are found, real images are not accused")
    options = parse(parser, arguments)
    if options.fail_above is not None:
        check_number("--fail-above", options.fail_above, low=0, high=1)
    if options.demo:
        return _demo(options.out)
    missing = [f"--{name}" for name in ("train", "generated") if getattr(options, name) is None]
    check(not missing, f"{' and '.join(missing)} must say where the images are; or try --demo")
    check_folder(options.out, "audit.json")

    from genwindow.audit import audit
    from genwindow.report import write_audit
    from genwindow.report.words import percent

    with ProgressBar("audit") as bar:
        found = audit(
            options.train,
            options.generated,
            options.heldout,
            size=options.size,
            channels=options.channels,
            spaces=tuple(name.strip() for name in options.spaces.split(",")),
            false_positive_rate=options.false_positive_rate,
            discovery_rate=options.discovery_rate,
            target=options.target,
            allow_leak=options.allow_leak,
            cache=options.cache,
            device=options.device,
            index=options.index,
            on_progress=bar.show,
        )
        out = writable_folder(options.out)
        write_audit(found, out, redact=options.redact)
        bar.show(1.0, "done")
    print("\n" + "\n".join((*found.words, *found.notes)))
    print(f"\nclear copies: {percent(found.strict)}; real images: {percent(found.strict_floor)}")
    print(f"Open in a browser: {(out / 'audit.html').resolve().as_uri()}")
    rate = found.excess.value
    if options.fail_above is not None and rate is not None and rate > options.fail_above:
        print(
            f"clear copies beyond those of real images: {100 * rate:.3g} %, above --fail-above {options.fail_above:g}"
        )
        return 1
    return 0


def _demo(out: str) -> int:
    from genwindow.experiments.audit_demo import run_controls
    from genwindow.report import write_audit

    check_place(out)
    with ProgressBar("two audits") as bar:
        found = run_controls(on_progress=bar.show)
        folder = writable_folder(out)
        for name, one in (("positive", found.positive), ("negative", found.negative)):
            write_audit(one, Path(folder) / name)
        bar.show(1.0, "done")
    print(f"\nPlanted copies: {found.recovered} of {found.planted} found, each with its training image.")
    print(f"  {found.positive.words[0]}")
    print(f"Real images only: {found.accused} of {found.negative.counts['generated']} called clear copies.")
    print(f"  {found.negative.words[0]}")
    for name in ("positive", "negative"):
        print(f"Open in a browser: {(folder / name / 'audit.html').resolve().as_uri()}")
    return 0
