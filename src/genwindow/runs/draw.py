"""Draw: new images from the weights that a run has kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from genwindow.data.points import LAWS
from genwindow.diffusion import Guided, NetworkDenoiser, sample
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import GenwindowError, NotFinite, check, check_choice, check_integer
from genwindow.runs.build import build_denoiser
from genwindow.runs.config import RunConfig
from genwindow.runs.data import RunData, build_data
from genwindow.runs.measure import asked_classes
from genwindow.runs.session import check_run_images
from genwindow.runs.store import RunFolder
from genwindow.train import resolve_device

Weights = Literal["best", "stop", "final"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Images drawn from a run.

    Attributes:
        images: (N, H, W, 1 or 3) bytes; or (N, d) points, as the network gives them.
        labels: (N,) classes that were asked for, or None.
        step: gradient steps behind the weights.
    """

    images: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int64] | None
    step: int


@dataclass(frozen=True, eq=False)
class Trained:
    """A network with weights that its run has kept, and the images it was trained on.

    Attributes:
        denoiser: the network, in evaluation mode.
        data: the images.
        step: gradient steps behind the weights.
    """

    denoiser: NetworkDenoiser
    data: RunData
    step: int


def load_trained(store: RunFolder, config: RunConfig, weights: Weights) -> Trained | None:
    """The network of a run, or None where no weights of that name were kept.

    Args:
        store: the run folder.
        config: its settings.
        weights: which ones.

    Raises:
        GenwindowError: when the images are gone or others, or the file of weights is damaged.
    """
    kept = store.read_snapshot(weights)
    if kept is None:
        return None
    try:
        data = build_data(config.data)
    except GenwindowError as error:
        raise GenwindowError(
            f"the images of {store.path}, which must be where they were (a path that is relative is read from here): "
            f"{error}"
        ) from None
    check_run_images(store, data)
    denoiser = build_denoiser(config, tuple(data.train.shape[1:]), data.classes)
    denoiser.network.load_state_dict(kept[1])
    return Trained(denoiser.eval(), data, kept[0])


def draw_samples(
    folder: str | Path,
    count: int,
    *,
    weights: Weights = "best",
    seed: int = 0,
    label: int | None = None,
    guidance: float = 0.0,
    device: str = "cpu",
) -> Samples:
    """Sample with the run's own sampler and steps.

    Args:
        folder: the run folder. The images it was trained on must still be where they were: their mean is added.
        count: how many images.
        weights: `best`, those with the smallest Frechet distance before copying showed; `stop`, those when the monitor
            first said to stop; `final`.
        seed: of the noise; none of it is what the run measured itself with.
        label: the class to draw, of a conditional network; None draws every class as often as in the training set.
        guidance: weight of classifier-free guidance.
        device: where the network works.

    Raises:
        GenwindowError: when the run has no such weights, its images are gone or others, it knows no classes, or
            samples are NaN or infinite.
    """
    check_integer("count", count, low=1)
    check_integer("seed", seed, low=0)
    check_choice("weights", weights, get_args(Weights))
    store = RunFolder(folder)
    config = store.load().config
    trained = load_trained(store, config, weights)
    if trained is None:
        there = [name for name in get_args(Weights) if store.read_snapshot(name) is not None]
        found = f"; there are {', '.join(there)}" if there else ": nothing was measured yet"
        raise GenwindowError(f"{store.path} has no weights {weights!r}{found}")
    data, denoiser = trained.data, trained.denoiser.to(resolve_device(device))
    fixed = config.train.fixed_t
    check(fixed is None, f"the network in {store.path} knows the diffusion time {fixed} only and cannot generate")
    conditional = config.net.conditional
    check(conditional or (label is None and guidance == 0), f"the network in {store.path} knows no classes")
    unguided = guidance == 0 or config.train.label_dropout > 0
    check(unguided, "guidance uses the network without classes too: train with train.label_dropout above 0")
    asked = None
    if conditional:
        low, high = 0, data.classes - 1
        asked = asked_classes(data, count)
        if label is not None:
            asked = torch.full((count,), check_integer("label", label, low=low, high=high))
            assert data.train_labels is not None
            trained_on = sorted(set(data.train_labels.tolist()))
            check(
                label in trained_on,
                f"label must be a class that the network was trained on, got {label}; none of its {config.data.n} "
                f"images has it, they are of {trained_on}",
            )
    drawn = sample(
        Guided(denoiser, guidance) if guidance else denoiser, (count, *data.train.shape[1:]),
        keyed_generator("samples", seed),
        sampler=config.measure.sampler, steps=config.measure.sampler_steps, label=asked, device=resolve_device(device),
    )  # fmt: skip
    bad = int((~drawn.isfinite().flatten(1).all(dim=1)).sum())
    if bad:
        cause = f"guidance {guidance:g} may be too large" if guidance else "training may have diverged"
        raise NotFinite(f"{bad} of {count} samples are NaN or infinite: {cause}")
    images = drawn.numpy() if config.data.source in LAWS else data.display(drawn)
    return Samples(images, None if asked is None else asked.numpy(), trained.step)
