"""The settings the image experiments share, at three scales.

`smoke` takes seconds and shows that everything works, nothing else; `cpu` takes minutes on two cores and is honest
small-scale evidence; `paper` has the paper's own settings and is for a GPU or a cluster.
"""

from __future__ import annotations

from typing import Literal

from genwindow.runs import DataSettings, DiffusionSettings, MeasureSettings, NetSettings, RunConfig, TrainSettings

Scale = Literal["smoke", "cpu", "paper"]

SCALES: tuple[Scale, ...] = ("smoke", "cpu", "paper")

PAPER_DATA = "celeba"
"""Stands for the folder of CelebA images, which `--data` names."""


def smoke(n: int, *, width: int = 16, optimizer: Literal["adam", "sgd"] = "adam", batch: int = 8) -> RunConfig:
    """A run of a second: digits by a tiny residual MLP, too short to learn anything."""
    return RunConfig(
        data=DataSettings(n=n, heldout=40, reference=40),
        diffusion=DiffusionSettings(prediction="data"),
        net=NetSettings(kind="mlp", width=width, blocks=1),
        train=TrainSettings(steps=60, optimizer=optimizer, batch=batch),
        measure=MeasureSettings(first=10, per_octave=1, samples=32, sampler_steps=4, loss_images=8, loss_draws=1),
    )


def digits_mlp(
    n: int,
    *,
    steps: int,
    width: int = 256,
    optimizer: Literal["adam", "sgd"] = "adam",
    batch: int = 32,
    seed: int = 0,
) -> RunConfig:
    """8x8 digits by the residual MLP of the demo: Adam at 5e-4, or SGD with momentum 0.95 at 0.2."""
    lr = 5e-4 if optimizer == "adam" else 0.2
    return RunConfig(
        data=DataSettings(n=n, seed=seed),
        diffusion=DiffusionSettings(prediction="data"),
        net=NetSettings(kind="mlp", width=width, blocks=3),
        train=TrainSettings(steps=steps, optimizer=optimizer, lr=lr, batch=batch, ema=0.99, seed=seed),
        measure=MeasureSettings(first=50, per_octave=3, samples=500),
    )


def digits_unet(n: int, *, steps: int, width: int = 8, seed: int = 0) -> RunConfig:
    """8x8 digits by the U-Net: Adam at 1e-3, batches of 64, weights averaged with decay 0.99."""
    return RunConfig(
        data=DataSettings(n=n, seed=seed),
        net=NetSettings(kind="unet", width=width),
        train=TrainSettings(steps=steps, lr=1e-3, batch=64, ema=0.99, seed=seed),
        measure=MeasureSettings(first=200, per_octave=3, samples=500),
    )


def faces(
    n: int,
    *,
    width: int = 32,
    steps: int = 2_000_000,
    batch: int = 512,
    optimizer: Literal["adam", "sgd"] = "sgd",
    seed: int = 0,
) -> RunConfig:
    """The paper's runs: CelebA faces, grey, 32x32, by its U-Net; SGD with momentum 0.95 at 0.01, 10,000 samples."""
    lr = 1e-2 if optimizer == "sgd" else 1e-4
    return RunConfig(
        data=DataSettings(PAPER_DATA, n, size=32, channels="grey", heldout=2048, reference=10_000, seed=seed),
        net=NetSettings(kind="unet", width=width),
        train=TrainSettings(steps=steps, optimizer=optimizer, lr=lr, batch=batch, seed=seed),
        measure=MeasureSettings(first=1000, per_octave=2, samples=10_000, sampler_steps=100, loss_images=2048),
        device="cuda",
    )


def smoke_points(n: int, *, optimizer: Literal["adam", "sgd"] = "adam", dimension: int = 8) -> RunConfig:
    """A run of a second: points of the mixture by a tiny residual MLP, too short to learn anything."""
    return RunConfig(
        data=DataSettings("mixture", n, dimension=dimension, heldout=40, reference=40),
        net=NetSettings(kind="mlp", width=16, blocks=1),
        train=TrainSettings(steps=60, optimizer=optimizer, batch=0),
        measure=MeasureSettings(first=10, per_octave=1, samples=32, sampler_steps=4, loss_images=8, loss_draws=1),
    )


def mixture_mlp(
    n: int,
    *,
    steps: int,
    dimension: int = 8,
    optimizer: Literal["adam", "sgd"] = "adam",
    batch: int = 0,
    samples: int = 2000,
    seed: int = 0,
    width: int = 128,
    first: int = 500,
) -> RunConfig:
    """The paper's mixture runs: residual MLP of width 128, full batch; Adam at 6e-4, SGD with momentum 0.95 at 0.05.

    They predict the data, not the noise: a sampler's first step divides an error of the noise by alpha = 0.006, and
    DDIM throws so many points far away that a Frechet distance tells of little else.
    """
    lr = 6e-4 if optimizer == "adam" else 0.05
    return RunConfig(
        data=DataSettings("mixture", n, dimension=dimension, seed=seed),
        diffusion=DiffusionSettings(prediction="data"),
        net=NetSettings(kind="mlp", width=width, blocks=3),
        train=TrainSettings(steps=steps, optimizer=optimizer, lr=lr, batch=batch, seed=seed),
        measure=MeasureSettings(first=first, per_octave=3, samples=samples, loss_images=128, loss_draws=2),
    )
