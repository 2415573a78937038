"""Runs with known curves for the report: quality falls at one time, copying rises at a time proportional to n.

Counts are exact shares of the samples, not draws, so nothing depends on a seed. Images are real digits: early samples
are noise, later ones the training image nearest to them with less and less noise on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits

from genwindow.analysis import collapse, fit_power_law, tau_gen, tau_gen_from_loss, tau_mem, tau_mem_from_loss
from genwindow.audit import Audit, audit
from genwindow.curve import Curve, Estimate
from genwindow.data import Images, named_set
from genwindow.report import PageContent
from genwindow.runs.config import DataSettings, MeasureSettings, RunConfig, TrainSettings
from genwindow.runs.result import Gallery, RunResult

SAMPLES = 512
GENERATES = 2500.0
COPIES_PER_IMAGE = 70.0


def exact_interval(count: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Clopper and Pearson's 95 % interval of a share."""
    low = np.where(count == 0, 0.0, stats.beta.ppf(0.025, np.maximum(count, 1), total - count + 1))
    high = np.where(count == total, 1.0, stats.beta.ppf(0.975, count + 1, np.maximum(total - count, 1)))
    return low, high


def share_of(count: int, total: int) -> Estimate:
    """A counted share with its interval."""
    low, high = exact_interval(np.array([count]), total)
    return Estimate(count / total, float(low[0]), float(high[0]), "found", "binomial")


@dataclass(frozen=True)
class Shape:
    """Size of the synthetic images."""

    height: int = 8
    width: int = 8
    channels: int = 1


def make_run(
    n: int = 64,
    *,
    steps: int = 40_000,
    status: str = "done",
    message: str = "",
    source: str = "digits",
    shape: Shape | None = None,
    folder: str = "",
) -> RunResult:
    """A run that generates near step 2,500 and copies near step 70 n."""
    tau = np.unique(np.round(100 * 2 ** np.arange(0, np.log2(steps / 100) + 1e-9, 0.5)))
    share = 1 / (1 + (COPIES_PER_IMAGE * n * 2.2 / tau) ** 3.5)
    count = np.round(share * SAMPLES).astype(int)
    low, high = exact_interval(count, SAMPLES)
    f_mem = Curve("f_mem", tau, count / SAMPLES, low, high, step=tau)
    quality = 0.9 + 21 / (1 + (tau / (GENERATES / 3)) ** 2) + 0.3 * share
    frechet = Curve("frechet", tau, quality, step=tau)
    losses = []
    for t in (0.02, 0.05, 0.1, 0.25, 0.5):
        base = 0.9 * np.exp(-3.2 * t) + (1 - 0.9 * np.exp(-3.2 * t)) / (1 + tau / 120)
        gap = 0.9 * np.exp(-4 * t) * (tau / (COPIES_PER_IMAGE * n)) / (1 + tau / (COPIES_PER_IMAGE * n))
        train, heldout = base * (1 - 0.85 * gap), base * (1 + 0.6 * gap)
        losses.append(Curve("train_loss", tau, train, 0.97 * train, 1.03 * train, step=tau, t=t))
        losses.append(Curve("heldout_loss", tau, heldout, 0.97 * heldout, 1.03 * heldout, step=tau, t=t))
    floor = share_of(0, 359)
    noise = Estimate(22.0, None, None, "found", "constant")
    threshold = np.linspace(0.02, 1, 50)
    return RunResult(
        folder=Path("/runs") / (folder or f"n{n:04d}"),
        config=RunConfig(
            data=DataSettings(source=source, n=n),
            train=TrainSettings(steps=steps),
            measure=MeasureSettings(samples=SAMPLES),
        ),
        status=status,
        message=message,
        curves=(f_mem, frechet, *losses),
        estimates={
            "tau_gen": tau_gen(frechet, noise),
            "tau_gen_loss": tau_gen_from_loss(losses[5]),
            "tau_mem": tau_mem(f_mem, floor),
            "tau_mem_loss": tau_mem_from_loss(losses[4], losses[5]),
            "f_mem_final": share_of(int(count[-1]), SAMPLES),
            "floor": floor,
            "frechet_floor": Estimate(0.7, 0.5, 0.9, "found", "split"),
            "frechet_noise": noise,
        },
        ratio_curve={
            "threshold": threshold,
            "generated": share[-1] * np.minimum(1, threshold * 4) + (1 - share[-1]) * threshold**6,
            "heldout": threshold**6,
        },
        gallery=make_gallery(n, tau, share, shape or Shape()),
        parameters=102_024,
        duplicates=0,
        seconds=0.0016 * steps,
    )


def make_gallery(n: int, tau: np.ndarray, share: np.ndarray, shape: Shape, cards: int = 16) -> Gallery:
    """Samples that turn from noise to digits to copies as `share` grows; distances are real ones."""
    digits = load_digits().images / 16
    rows, columns = np.arange(shape.height) * 8 // shape.height, np.arange(shape.width) * 8 // shape.width
    images = digits[:, rows][:, :, columns, None].repeat(shape.channels, axis=3)
    train, fresh = images[:n], images[1000 : 1000 + cards]
    rng = np.random.default_rng(n)
    noise = rng.normal(0.5, 0.35, (cards, shape.height, shape.width, shape.channels))
    generated, index, ratio = [], [], []
    for at, now in zip(tau, share, strict=True):
        clear = 1 / (1 + (GENERATES / 3 / at) ** 2)
        target = np.where((np.arange(cards) / cards < now)[:, None, None, None], train[np.arange(cards) % n], fresh)
        sample = np.clip(clear * target + (1 - clear) * noise, 0, 1)
        distance = np.linalg.norm((sample[:, None] - train[None]).reshape(cards, n, -1), axis=2)
        order = np.argsort(distance, axis=1)
        best = np.take_along_axis(distance, order[:, :2], axis=1)
        generated.append(sample)
        index.append(order[:, 0])
        ratio.append(best[:, 0] / best[:, 1])
    as_bytes = np.round(255 * np.array(generated)).astype(np.uint8)
    nearest = np.round(255 * train[np.array(index)]).astype(np.uint8)
    return Gallery(tau.astype(np.int64), as_bytes, nearest, np.array(ratio), np.array(index))


def make_empty(n: int = 900, status: str = "running", message: str = "") -> RunResult:
    """A run that has measured nothing yet."""
    config = RunConfig(data=DataSettings(n=n))
    return RunResult(Path(f"/runs/n{n:04d}"), config, status, (), {}, message=message)


def make_content(runs: tuple[RunResult, ...], title: str = "Digits, from generating to copying") -> PageContent:
    """A page over several runs with its fit and its collapse."""
    measured = [run for run in runs if run.curves]
    law = fit_power_law([r.n for r in measured], [r.estimates["tau_mem"] for r in measured])
    fallen = collapse([r.curve("f_mem") for r in measured], [r.n for r in measured])
    return PageContent(title, runs, law if len(runs) > 1 else None, fallen if len(runs) > 1 else None)


@pytest.fixture(scope="session")
def four() -> tuple[RunResult, ...]:
    """n = 32, 64, 128, 256; the window is closed at 32 and open from 64 on."""
    return tuple(make_run(n) for n in (32, 64, 128, 256))


@pytest.fixture(scope="session")
def mixed(four: tuple[RunResult, ...]) -> tuple[RunResult, ...]:
    """The four, one that never copies, one that failed midway, one that has measured nothing."""
    late = make_run(512, steps=12_800)
    failed = make_run(700, steps=3200, status="failed", message="the loss is not finite at step 3300")
    return (*four, late, failed, make_empty(900))


@pytest.fixture(scope="session")
def build() -> Callable[..., RunResult]:
    """The builder itself, for runs with other settings."""
    return make_run


@pytest.fixture(scope="session")
def content() -> Callable[..., PageContent]:
    """The page builder."""
    return make_content


@pytest.fixture(scope="session")
def audited() -> Audit:
    """An audit of 100 digits, five of them copies; names that must stay text, groups and classes."""
    digits = named_set("digits")
    train = digits.select(np.arange(300))
    pixels = digits.pixels[600:700].copy()
    pixels[:5] = train.pixels[:5]
    names = ['<script>alert("x")</script>.png', "=cmd()", *map(str, range(98))]
    generated = Images.from_raw(digits.raw(pixels), low=0, high=16, names=names, labels=digits.labels[600:700])
    train = Images.from_raw(
        digits.raw(train.pixels), low=0, high=16, names=[f"secret-{i}.png" for i in range(300)],
        groups=[f"patient-{i % 30}" for i in range(300)], labels=train.labels,
    )  # fmt: skip
    return audit(train, generated, digits.select(np.arange(300, 600)), spaces=("pixels",))
