"""A feature space: the numbers in which images are compared. Several can be used in one audit.

`pixels` are the images themselves; `pca` their principal components, fitted on training and held-out images together;
`random-conv` the responses of fixed random filters, which forgive small changes; `mobilenet-v2` a network trained on
ImageNet. `torchscript:PATH` and `onnx:PATH` take a network of your own, for example a copy detector, and any callable
that maps (N, C, H, W) arrays to (N, k) features is a space too.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from genwindow.audit.sets import Sets
from genwindow.data import Images
from genwindow.errors import GenwindowError, check
from genwindow.metrics import principal_components

Features = Callable[[NDArray[np.float32]], NDArray[Any]]

NAMES = ("pixels", "pca", "random-conv", "mobilenet-v2")
COMPONENTS = 64
FILTERS = 48
_BATCH = 512


def feature_spaces(sets: Sets, wanted: tuple[str, ...], own: Mapping[str, Features]) -> dict[str, Features]:
    """The spaces by name.

    Args:
        sets: the images; some spaces are fitted on them.
        wanted: names from `NAMES` and of `own`.
        own: further spaces.

    Raises:
        GenwindowError: for an unknown name, or none at all.
    """
    check(len(wanted) > 0, f"an audit needs one feature space at least: {', '.join(NAMES)}")
    found: dict[str, Features] = {}
    for name in wanted:
        if name in own:
            found[name] = own[name]
        elif name == "pixels":
            found[name] = lambda images: images.reshape(len(images), -1)
        elif name == "pca":
            found[name] = _components(sets)
        elif name == "random-conv":
            found[name] = random_convolutions(sets.train.shape[0])
        elif name == "mobilenet-v2":
            from genwindow.audit.mobilenet import MobileNetSpace

            found[name] = MobileNetSpace()
        elif name.startswith("torchscript:"):
            found[name] = torchscript_space(name.partition(":")[2])
        elif name.startswith("onnx:"):
            found[name] = onnx_space(name.partition(":")[2])
        else:
            allowed = ", ".join((*NAMES, "torchscript:PATH", "onnx:PATH", *own))
            raise GenwindowError(f"space must be one of {allowed}; got {name!r}")
    return found


def torchscript_space(path: str) -> Features:
    """A TorchScript network from a file: (N, C, H, W) float32 in [-1, 1] to (N, k).

    TorchScript runs in its own interpreter: the file can compute, but not call Python.

    Raises:
        GenwindowError: when the file cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the format, by newer PyTorch
            network = torch.jit.load(path, map_location="cpu").eval()
    except (RuntimeError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise GenwindowError(f"space torchscript:{path} cannot be read: {first}") from None

    @torch.no_grad()
    def features(images: NDArray[np.float32]) -> NDArray[Any]:
        starts = range(0, len(images), _BATCH)
        blocks = (torch.from_numpy(np.ascontiguousarray(images[i : i + _BATCH])) for i in starts)
        try:
            return torch.cat([network(block).flatten(1) for block in blocks]).numpy()
        except RuntimeError as error:
            last = str(error).strip().splitlines()[-1]
            raise GenwindowError(f"space torchscript:{path} does not take images {images.shape[1:]}: {last}") from None

    return features


def onnx_space(path: str) -> Features:
    """An ONNX network from a file: its first input takes (N, C, H, W) float32 in [-1, 1], its first output is used.

    Raises:
        GenwindowError: when onnxruntime is not installed or the file cannot be read.
    """
    try:
        import onnxruntime
    except ImportError:
        raise GenwindowError(f"space onnx:{path} needs onnxruntime: pip install onnxruntime") from None
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many types
        raise GenwindowError(f"space onnx:{path} cannot be read: {' '.join(str(error).split())[:200]}") from None
    name = session.get_inputs()[0].name

    def features(images: NDArray[np.float32]) -> NDArray[Any]:
        blocks = (np.ascontiguousarray(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH))
        try:
            parts = [session.run(None, {name: block})[0] for block in blocks]
        except Exception as error:
            words = " ".join(str(error).split())[:200]
            raise GenwindowError(f"space onnx:{path} does not take images {images.shape[1:]}: {words}") from None
        return np.concatenate([part.reshape(len(part), -1) for part in parts])

    return features


def apply(name: str, space: Features, images: NDArray[np.float32]) -> NDArray[Any]:
    """(N, k) features, checked.

    Raises:
        GenwindowError: when the space gives another number of rows, or numbers that are not finite.
    """
    features = np.asarray(space(images))
    check(
        features.ndim == 2 and len(features) == len(images) and features.shape[1] > 0,
        f"space {name} must give ({len(images)}, k) features, got shape {features.shape}",
    )
    check(bool(np.isfinite(features).all()), f"space {name} gives NaN or infinite features")
    return features


def cached(name: str, space: Features, images: Images, key: str, cache: Path | None) -> NDArray[Any]:
    """As `apply`, computed once for the same space and images when there is a folder to keep features in.

    Args:
        name: of the space.
        space: the map.
        images: what to map.
        key: names everything that the space was fitted on.
        cache: the folder, or None.
    """
    if cache is None:
        return apply(name, space, images.pixels)
    digest = hashlib.sha256(f"{name}|{key}|{images.digest}".encode()).hexdigest()[:32]
    file = cache / f"{digest}.npy"
    if file.is_file():
        try:
            with file.open("rb") as opened:
                kept = np.load(opened, allow_pickle=False)
            if len(kept) == len(images):
                return kept
        except (OSError, ValueError, EOFError):
            pass  # damaged: computed anew below
    features = apply(name, space, images.pixels)
    buffer = io.BytesIO()
    np.save(buffer, features)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}.tmp")
        beside.write_bytes(buffer.getvalue())
        os.replace(beside, file)
    except OSError as error:
        raise GenwindowError(f"cannot write features to {cache}: {error.strerror}") from None
    return features


def _components(sets: Sets) -> Features:
    real = sets.train.pixels if sets.heldout is None else np.concatenate([sets.train.pixels, sets.heldout.pixels])
    most = min(len(real) - 1, int(np.prod(real.shape[1:])), COMPONENTS)
    check(most >= 1, "space pca needs at least two images")
    return principal_components(real, most)


def random_convolutions(channels: int, seed: int = 0) -> Features:
    """Responses of random 5x5 filters, rectified and averaged over a 4x4 grid; the same filters for the same seed.

    Args:
        channels: of the images.
        seed: of the filters.
    """
    generator = torch.Generator().manual_seed(seed)
    filters = torch.randn((FILTERS, channels, 5, 5), generator=generator)
    filters -= filters.mean((2, 3), keepdim=True)
    filters /= filters.flatten(1).norm(dim=1)[:, None, None, None]

    def features(images: NDArray[np.float32]) -> NDArray[Any]:
        parts = []
        for start in range(0, len(images), _BATCH):
            x = torch.from_numpy(np.ascontiguousarray(images[start : start + _BATCH]))
            response = functional.conv2d(functional.pad(x, (2, 2, 2, 2), mode="replicate"), filters).relu()
            grid = (min(4, x.shape[2]), min(4, x.shape[3]))
            parts.append(functional.adaptive_avg_pool2d(response, grid).flatten(1))
        return torch.cat(parts).numpy()

    return features
