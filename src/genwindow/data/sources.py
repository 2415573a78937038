"""A source of images: an array, a folder, a `.zip`, a `.tar` or shards, an `.npy`, an `.npz`, or a saved data set."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from genwindow.data.decode import EXTENSIONS
from genwindow.data.ends import narrowed
from genwindow.data.files import File, check_member, folder_files, read_files
from genwindow.data.images import Images, as_numpy
from genwindow.data.pixels import Channels, check_size, convert_channels, crop_and_resize
from genwindow.data.shards import GROUP_KEYS, read_shards, shard_files
from genwindow.errors import GenwindowError, check, check_choice

PATHS = "a folder of images, a .zip, a .tar, an .npy or an .npz"
"""What may be given as a path, in words; see `load_images` for the rest."""

_IMAGE_KEYS = ("images", "x", "arr_0")
_LABEL_KEYS = ("labels", "y")


def load_images(
    source: Any,
    *,
    size: int | None = None,
    channels: Channels | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Images:
    """Read images from anything.

    Args:
        source: an array or torch tensor of shape (N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3 (when both
            readings are possible, the channels come first); or the path of

            - a folder of images, searched with its subfolders and sorted as a person would (2 before 10). With images
              in more than one folder, each folder is a group (a person, a patient) that `split` never divides;
            - a `.zip` of images, read in place and treated like a folder;
            - a `.tar` of images, or a WebDataset: several shards named `shards-{000..011}.tar`; a whole number in a
              `.cls` member beside an image is its label; see `genwindow.data.shards` for groups;
            - a folder that Hugging Face `datasets` wrote with `save_to_disk` (needs that package): its `image` (or
              `img`) column, with `label` and, where there is one, `group`, `patient` or `person`;
            - an `.npy` file, or an `.npz` file with the images under `images`, `x` or `arr_0` (or as its only array)
              and, if wanted, `labels` or `y` and `groups`.
        size: crop to the centre square and resize to this many pixels; None keeps the size.
        channels: `grey` or `colour`; None keeps what the images have.
        low: raw value that becomes -1; see `Images.from_raw` for the defaults.
        high: raw value that becomes +1.

    Returns:
        The images, pixels in [-1, 1].

    Raises:
        GenwindowError: anything that keeps the source from being read as images of one size and kind. All unreadable
            files of a folder are reported at once.
    """
    check_size(size)
    check_choice("channels", channels, ("grey", "colour", None))
    if not isinstance(source, str | os.PathLike):
        raw = _prepare(as_numpy(source), "array", size, channels)
        return Images.from_raw(raw, low=low, high=high)
    path = Path(source).expanduser()
    where = str(path)
    names: Sequence[str] | None = None
    labels: NDArray[Any] | None = None
    groups: Any = None
    try:
        found = "{" in path.name or path.exists()
        check(found, f"{where} does not exist; give {PATHS}")
        suffix = path.suffix.lower()
        if "{" in path.name:
            raw, names, labels, groups = read_shards(shard_files(path), where, size, channels)
        elif path.is_dir() and (path / "dataset_info.json").is_file():
            raw, labels, groups = _read_hugging_face(path, size, channels)
        elif path.is_dir():
            raw, names, groups = read_files(folder_files(path), where, size, channels)
        elif suffix == ".zip":
            with _open_zip(path) as archive:
                raw, names, groups = read_files(_zip_files(archive), where, size, channels)
        elif suffix == ".tar":
            raw, names, labels, groups = read_shards([path], where, size, channels)
        elif suffix in (".npy", ".npz"):
            raw, labels, groups = _read_arrays(path)
            raw = _prepare(raw, where, size, channels)
        else:
            kind = "is a single image; give the folder it is in" if suffix in EXTENSIONS else "cannot be read"
            raise GenwindowError(f"{where} {kind} (allowed: {PATHS})")
    except OSError as error:
        raise GenwindowError(f"{where} cannot be read: {error.strerror or error}") from None
    return Images.from_raw(raw, low=low, high=high, names=names, groups=groups, labels=labels, source=where)


def _channels_first(array: NDArray[Any], where: str) -> NDArray[Any]:
    """The array as (N, C, H, W)."""
    shape = array.shape
    allowed = "allowed are (N, H, W), (N, C, H, W) and (N, H, W, C) with C = 1 or 3"
    check(array.ndim in (3, 4), f"{where}: shape {shape} is not a set of images; {allowed}")
    check(array.size > 0, f"{where}: there are no pixels in shape {shape}; {allowed}")
    if array.ndim == 3:
        single = shape[2] in (1, 3) and shape[1] > 3
        check(not single, f"{where}: shape {shape} looks like a single image; add an axis in front (array[None])")
        return array[:, None]
    if shape[1] not in (1, 3) and shape[3] in (1, 3):
        return array.transpose(0, 3, 1, 2)
    last = shape[3] in (2, 4) and shape[1] not in (1, 3) and shape[1] == shape[2] != shape[3]
    check(not last, f"{where}: shape {shape} seems to have its {shape[3]} channels last; pass them as second axis")
    return array


def _prepare(array: NDArray[Any], where: str, size: int | None, channels: Channels | None) -> NDArray[Any]:
    """Raw values (N, C, H, W) of an array, converted and resized."""
    check(array.dtype.kind in "biuf", f"{where}: pixels must be real numbers, got an array of {array.dtype}")
    raw = convert_channels(narrowed(_channels_first(array, where)), channels, where)
    return raw if size is None else np.stack([crop_and_resize(image, size) for image in raw])


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise GenwindowError(f"{path} is not a zip archive, or it is damaged; make it again") from None


def _zip_files(archive: zipfile.ZipFile) -> list[File]:
    """Members are read in memory; their names are never used as paths."""

    def member(info: zipfile.ZipInfo) -> BinaryIO:
        check_member(info.file_size)
        return io.BytesIO(archive.read(info))

    return [(info.filename, partial(member, info)) for info in archive.infolist() if not info.is_dir()]


def _read_hugging_face(
    path: Path, size: int | None, channels: Channels | None
) -> tuple[NDArray[Any], NDArray[Any] | None, list[str] | None]:
    """Images, labels and groups of a folder written by `Dataset.save_to_disk`."""
    try:
        import datasets
    except ImportError:
        raise GenwindowError(
            f"{path} is a Hugging Face data set; to read it: pip install 'genwindow[datasets]'"
        ) from None
    try:
        table = datasets.load_from_disk(str(path))
    except Exception as error:  # the package raises many types
        raise GenwindowError(f"{path} cannot be read: {' '.join(str(error).split())[:120]}") from None
    column = next((name for name in ("image", "img") if name in table.column_names), None)
    check(column is not None, f"{path} has the columns {', '.join(table.column_names)}; call the pictures `image`")

    def opened(i: int) -> BinaryIO:
        buffer = io.BytesIO()
        table[i][column].save(buffer, format="PNG")
        buffer.seek(0)
        return buffer

    files: list[File] = [(f"{i}.png", partial(opened, i)) for i in range(len(table))]
    raw, _, _ = read_files(files, str(path), size, channels)
    labels = np.asarray(table["label"]) if "label" in table.column_names else None
    kind = next((name for name in GROUP_KEYS if name in table.column_names), None)
    return raw, labels, None if kind is None else [str(value) for value in table[kind]]


def _read_arrays(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
    """Images, labels and groups of an `.npy` or `.npz`; nothing in the file is executed."""
    try:
        with path.open("rb") as file:  # np.load would leave a damaged file open
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded, None, None
            known = [key for key in _IMAGE_KEYS if key in loaded.files]
            images = known[0] if known else loaded.files[0] if len(loaded.files) == 1 else None
            if images is None:
                keys = ", ".join(loaded.files) or "nothing"
                raise GenwindowError(f"{path} holds {keys}; name the array of images {' or '.join(_IMAGE_KEYS)}")
            labels = next((loaded[key].reshape(-1) for key in _LABEL_KEYS if key in loaded.files), None)
            return loaded[images], labels, loaded["groups"] if "groups" in loaded.files else None
    except GenwindowError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        objects = "Object arrays" in str(error)
        reason = (
            "holds Python objects; save a plain numeric array"
            if objects
            else "is damaged or no NumPy file; save it again"
        )
        raise GenwindowError(f"{path} {reason}") from None
