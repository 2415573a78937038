"""`genwindow sample`: new images from a finished run, as files."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genwindow.cli.arguments import check_place, make_parser, parse, writable_folder
from genwindow.errors import check

if TYPE_CHECKING:
    from numpy.typing import NDArray


def run(arguments: Sequence[str]) -> int:
    """Parse `arguments`, draw and write."""
    parser = make_parser(
        "sample",
        "Draw new images from the weights a run has kept, into a folder of PNG files or one .npy file. Example: "
        "genwindow sample runs/mine --n 500 --out samples/",
        "RUN",
    )
    parser.add_argument("run", type=str, help="run folder")
    parser.add_argument("--n", type=int, default=64, help="how many images")
    parser.add_argument(
        "--weights",
        type=Literal["best", "stop", "final"],
        default="best",
        help="those of the best samples, of the stop, of the end",
    )
    parser.add_argument("--out", type=str, default="samples", help="an empty folder for PNG files, or a file NAME.npy")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--label", type=int | None, default=None, help="class to draw; default: as in the training set")
    parser.add_argument("--guidance", type=float, default=0.0, help="weight of classifier-free guidance")
    parser.add_argument("--device", type=str, default="cpu", help="cpu, cuda, or auto")
    options = parse(parser, arguments)
    out = Path(options.out)
    array = out.suffix == ".npy"
    _check_free(out)
    check_place(out.parent if array else out)

    import numpy as np

    from genwindow.runs import draw_samples, write_atomically

    found = draw_samples(
        options.run, options.n, weights=options.weights, seed=options.seed,
        label=options.label, guidance=options.guidance, device=options.device,
    )  # fmt: skip
    points = found.images.ndim == 2
    check(array or not points, f"{options.run} is a run on points, which are no images; write them to --out {out}.npy")
    if array:
        buffer = io.BytesIO()
        np.save(buffer, found.images)
        write_atomically(out, buffer.getvalue())
    else:
        _write_pictures(out, found.images, found.labels)
    print(f"{len(found.images)} {'points' if points else 'images'} from the weights of step {found.step:,}: {out}")
    return 0


def _check_free(out: Path) -> None:
    """Raise where something is there already; an empty folder is free."""
    array = out.suffix == ".npy"
    taken = out.exists() if array else out.is_dir() and any(out.iterdir())
    check(not taken, f"--out {out} is there already; choose another {'file' if array else 'folder'}")


def _write_pictures(out: Path, images: NDArray[Any], labels: NDArray[Any] | None) -> None:
    """One PNG file for each image, named by its place and class; a new folder is filled at once.

    A folder that is there stays the one it is, as it may be a mount, or where somebody stands: files move into it.
    """
    from PIL import Image

    _check_free(out)
    there = out.exists()
    folder = writable_folder(out).resolve()
    with tempfile.TemporaryDirectory(prefix=".samples-", dir=folder if there else folder.parent) as made:
        full = Path(made) / "samples"
        full.mkdir()
        for i, image in enumerate(images):
            name = f"{i:05d}.png" if labels is None else f"{i:05d}-class{labels[i]}.png"
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(full / name)
        if there:
            for picture in sorted(full.iterdir()):
                picture.replace(folder / picture.name)
        else:
            full.replace(folder)
