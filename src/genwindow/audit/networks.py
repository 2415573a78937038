"""A network as a feature space: images prepared as it was trained on them, its outputs as features, in batches.

Nothing is downloaded. Weights are read as plain tensors whose digest is checked; TorchScript and ONNX files run in
interpreters of their own: they can compute, but not call Python.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genwindow.errors import GenwindowError, check
from genwindow.files import packaged

Features = Callable[[NDArray[np.float32]], NDArray[Any]]

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours of ImageNet, which networks trained on it expect to be taken off."""

TRUNK_SIDE = 96
SSCD_SIDE = 288

_BATCH = 128


def as_imagenet(images: NDArray[np.float32], side: int) -> Tensor:
    """(N, 3, side, side) normalised as ImageNet is, of (N, C, H, W) in [-1, 1]; of more than three channels the first
    three.
    """
    mean, spread = (torch.tensor(v)[None, :, None, None] for v in (MEAN, SPREAD))
    x = torch.from_numpy(images)
    x = x[:, :3] if x.shape[1] >= 3 else x[:, :1].expand(-1, 3, -1, -1)
    x = functional.interpolate((x + 1) / 2, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return (x - mean) / spread


def packaged_weights(package: str, inside: str, space: str, install: str) -> Path:
    """Where a package keeps its weights; the package itself is not imported.

    Args:
        package: its name.
        inside: path inside it.
        space: that needs it, for the message.
        install: how to get it.

    Raises:
        GenwindowError: when it is not installed.
    """
    file = packaged(package, inside)
    if file is None:
        raise GenwindowError(f"space {space} needs its weights: {install}")
    return file


def load_weights(trunk: nn.Module, file: Path, digest: str) -> None:
    """Load the weights of `trunk` from a PyTorch file that may hold more; no code runs from it.

    Raises:
        GenwindowError: when the file cannot be read, or its SHA-256 does not begin with `digest`.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise GenwindowError(f"{file} cannot be read: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    check(found.startswith(digest), f"{file} holds other weights: its SHA-256 begins {found[:8]}, not {digest}")
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    trunk.load_state_dict({name: state[name] for name in trunk.state_dict()})


def in_batches(images: NDArray[np.float32], step: Callable[[NDArray[np.float32]], Any]) -> NDArray[Any]:
    """(N, k) features of a step that maps a batch to a tensor or array."""
    with torch.no_grad():
        parts = [step(np.array(images[i : i + _BATCH])) for i in range(0, len(images), _BATCH)]
    return np.concatenate([np.asarray(part).reshape(len(part), -1) for part in parts])


class TrunkSpace:
    """A network trained on ImageNet as a feature space; images of any size, grey or colour.

    Args:
        trunk: (N, 3, 96, 96) normalised images to (N, k).
        file: its weights.
        digest: the first digits of their SHA-256.

    Raises:
        GenwindowError: when the file cannot be read or holds other weights.
    """

    def __init__(self, trunk: nn.Module, file: Path, digest: str) -> None:
        self._trunk = trunk.eval()
        load_weights(self._trunk, file, digest)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """(N, k) features of (N, C, H, W) images in [-1, 1]; of more than three channels the first three."""
        return in_batches(images, lambda batch: self._trunk(as_imagenet(batch, TRUNK_SIDE)))


def torchscript_space(path: str) -> Features:
    """A TorchScript network from a file: (N, C, H, W) float32 in [-1, 1] to (N, k).

    Raises:
        GenwindowError: when the file cannot be read.
    """
    run = _torchscript(path)
    return lambda images: in_batches(images, run)


def onnx_space(path: str) -> Features:
    """An ONNX network from a file: its first input takes (N, C, H, W) float32 in [-1, 1], its first output is used.

    Raises:
        GenwindowError: when onnxruntime is not installed or the file cannot be read.
    """
    run, _ = _onnx(path)
    return lambda images: in_batches(images, run)


def sscd_space(path: str) -> Features:
    """A copy-detection network, SSCD or one used like it, from a TorchScript or .onnx file.

    Images are made colour, 288x288 and normalised as ImageNet, except for an ONNX network that takes bytes
    (N, H, W, 3) and normalises by itself. Descriptors are scaled to length 1, so that distances order as cosine
    similarities do. Source: Pizzi et al., CVPR 2022 (arXiv 2202.10261).

    Raises:
        GenwindowError: as `torchscript_space` and `onnx_space`.
    """
    run, takes_bytes = _onnx(path) if path.lower().endswith(".onnx") else (_torchscript(path), False)

    def prepared(batch: NDArray[np.float32]) -> NDArray[Any]:
        normal = as_imagenet(batch, SSCD_SIDE).numpy()
        if not takes_bytes:
            return normal
        colours = normal.transpose(0, 2, 3, 1) * np.array(SPREAD) + np.array(MEAN)
        return np.clip(np.round(255 * colours), 0, 255).astype(np.uint8)

    def features(images: NDArray[np.float32]) -> NDArray[Any]:
        found = in_batches(images, lambda batch: run(prepared(batch)))
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    return features


def _torchscript(path: str) -> Callable[[NDArray[np.float32]], Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the format, by newer PyTorch
            network = torch.jit.load(path, map_location="cpu").eval()
    except (RuntimeError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise GenwindowError(f"network {path} cannot be read: {first}") from None

    def run(batch: NDArray[np.float32]) -> Any:
        try:
            return network(torch.from_numpy(batch)).numpy()
        except RuntimeError as error:
            last = str(error).strip().splitlines()[-1]
            raise GenwindowError(f"network {path} does not take images {batch.shape[1:]}: {last}") from None

    return run


def _onnx(path: str) -> tuple[Callable[[NDArray[Any]], Any], bool]:
    """The network, and whether its input is bytes."""
    try:
        import onnxruntime
    except ImportError:
        raise GenwindowError(f"network {path} needs onnxruntime: pip install 'genwindow[onnx]'") from None
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many types
        raise GenwindowError(f"network {path} cannot be read: {' '.join(str(error).split())[:200]}") from None
    first = session.get_inputs()[0]
    name = first.name

    def run(batch: NDArray[Any]) -> Any:
        try:
            return session.run(None, {name: batch})[0]
        except Exception as error:
            words = " ".join(str(error).split())[:200]
            raise GenwindowError(f"network {path} does not take images {batch.shape[1:]}: {words}") from None

    return run, first.type == "tensor(uint8)"
