"""A file of images: found in a folder or an archive, sorted as a person would, decoded with all the others."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from genwindow.data.decode import EXTENSIONS, decode
from genwindow.data.pixels import Channels, convert_channels, crop_and_resize
from genwindow.errors import GenwindowError, check

File = tuple[str, Callable[[], BinaryIO]]  # name inside the folder or archive, and how to open it

LARGEST_MEMBER = 1 << 28
"""Bytes; larger members of an archive are not unpacked."""


def check_member(size: int, what: str = "") -> None:
    """Raise when a member of an archive unpacks to too many bytes; `what` names it, where nobody else will."""
    check(size <= LARGEST_MEMBER, f"{what}unpacks to {size} bytes; shrink it first")


def _natural(name: str) -> tuple[list[Any], str]:
    """Sorting key under which 2 comes before 10."""
    parts = re.split(r"([0-9]{1,18})", name)
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)], name


def is_image(name: str) -> bool:
    """Whether this is the name of an image, not hidden and not an archiver's own file."""
    parts = PurePosixPath(name).parts
    hidden = any((p.startswith(".") and p != "..") or p == "__MACOSX" for p in parts)
    return not hidden and name.lower().endswith(EXTENSIONS)


def folder_files(folder: Path) -> list[File]:
    """Every file in a folder and its subfolders."""

    def stop(error: OSError) -> NoReturn:
        raise error

    def opener(path: Path) -> Callable[[], BinaryIO]:
        return lambda: path.open("rb")

    walk = os.walk(folder, onerror=stop)
    paths = (Path(root, name) for root, _, names in walk for name in names)
    return [(path.relative_to(folder).as_posix(), opener(path)) for path in paths]


def some(items: Sequence[str]) -> str:
    """The first three, and how many more."""
    return ", ".join(items[:3]) + (f" and {len(items) - 3} more" if len(items) > 3 else "")


def read_files(
    files: list[File], where: str, size: int | None, channels: Channels | None
) -> tuple[NDArray[Any], list[str], list[str] | None]:
    """Raw values (N, C, H, W), names, and groups where there is more than one folder, of the images among `files`."""
    files = sorted((file for file in files if is_image(file[0])), key=lambda file: _natural(file[0]))
    check(bool(files), f"{where} holds no images (looked for {' '.join(EXTENSIONS)}, subfolders included)")
    images: list[NDArray[Any]] = []
    broken: list[str] = []
    for name, open_file in files:
        try:
            images.append(crop_and_resize(convert_channels(decode(open_file), channels, name), size))
        except GenwindowError as error:
            broken.append(f"{name} ({error})")
    check(
        not broken,
        f"{where}: {len(broken)} of {len(files)} images cannot be used: {some(broken)}; repair or remove them",
    )
    names = [name for name, _ in files]
    _check_alike([f"{i.itemsize * 8}-bit" for i in images], names, where, "convert them to one bit depth")
    kinds = ["grey" if len(image) == 1 else "colour" for image in images]
    _check_alike(kinds, names, where, "choose channels: grey or colour")
    _check_alike([f"{i.shape[2]}x{i.shape[1]}" for i in images], names, where, "choose a size for all, such as size 32")
    folders = [str(PurePosixPath(name).parent) for name in names]
    return np.stack(images), names, folders if len(set(folders)) > 1 else None


def _check_alike(kinds: Sequence[str], names: Sequence[str], where: str, remedy: str) -> None:
    first: dict[str, str] = {}
    for kind, name in zip(kinds, names, strict=True):
        first.setdefault(kind, name)
    examples = some([f"{kind} (first {name})" for kind, name in first.items()])
    check(len(first) == 1, f"{where} mixes images of different kinds: {examples}; {remedy}")
