"""A feature space: the numbers in which images are compared. Several can be used in one audit.

`pixels` are the images themselves; `pca` their principal components, fitted on the training images;
`random-conv` the responses of fixed random filters, which forgive small changes; `mobilenet-v2` and
`efficientnet-lite0` networks trained on ImageNet. `sscd:PATH` takes a copy-detection network, `torchscript:PATH` and
`onnx:PATH` one of your own, and any callable that maps (N, C, H, W) arrays to (N, k) features is a space too.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from genwindow.audit.networks import Features, onnx_space, sscd_space, torchscript_space
from genwindow.audit.sets import Sets
from genwindow.data import Images
from genwindow.errors import GenwindowError, check
from genwindow.files import write_atomically
from genwindow.metrics import principal_components

NAMES = ("pixels", "pca", "random-conv", "mobilenet-v2", "efficientnet-lite0")
FROM_FILES = {"sscd": sscd_space, "torchscript": torchscript_space, "onnx": onnx_space}
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
        elif name == "efficientnet-lite0":
            from genwindow.audit.efficientnet import EfficientNetSpace

            found[name] = EfficientNetSpace()
        elif name.partition(":")[0] in FROM_FILES and ":" in name:
            kind, _, path = name.partition(":")
            found[name] = FROM_FILES[kind](path)
        else:
            allowed = ", ".join((*NAMES, *(f"{kind}:PATH" for kind in FROM_FILES), *own))
            raise GenwindowError(f"space must be one of {allowed}; got {name!r}")
    return found


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
    path = Path(name.partition(":")[2])
    if name.partition(":")[0] in FROM_FILES and path.is_file():
        name = f"{name}|{hashlib.sha256(path.read_bytes()).hexdigest()}"  # another network may take its place
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
    write_atomically(file, buffer.getvalue())
    return features


def _components(sets: Sets) -> Features:
    """Fitted on training images alone: held-out ones among them would lie nearer to the plane than fresh ones do."""
    train = sets.train.pixels
    most = min(len(train) - 1, int(np.prod(train.shape[1:])), COMPONENTS)
    check(most >= 1, "space pca needs at least two training images")
    return principal_components(train, most)


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
            x = torch.from_numpy(np.array(images[start : start + _BATCH]))
            response = functional.conv2d(functional.pad(x, (2, 2, 2, 2), mode="replicate"), filters).relu()
            grid = (min(4, x.shape[2]), min(4, x.shape[3]))
            parts.append(functional.adaptive_avg_pool2d(response, grid).flatten(1))
        return torch.cat(parts).numpy()

    return features
