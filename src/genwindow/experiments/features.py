"""The random-features model three ways: limit theory, closed form at finite d, and training for real.

One set of random features and one training set are made. The noise-averaged training moments and the moments of fresh
data give the whole curve of gradient descent from one eigendecomposition; the weights of the network as it is trained
by stochastic gradient descent (all samples, fresh noise at every step) or by Adam are put into the same exact losses.
After Bonnaire et al., arXiv 2505.17638, Fig. 5 and 6, where these curves are simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from genwindow.curve import short
from genwindow.data import heavy_tailed, open_images
from genwindow.diffusion import NetworkDenoiser, OrnsteinUhlenbeck
from genwindow.errors import check, check_choice, check_integer, check_number
from genwindow.experiments.theory import Answer
from genwindow.nets import RandomFeaturesNet
from genwindow.theory import (
    Covariance,
    FiniteModel,
    GradientDescent,
    LearningCurves,
    RandomFeatures,
    SecondMoments,
    as_curves,
    lowest_loss,
)
from genwindow.train import build_optimizer, resolve_device, train_steps

DATA = ("gaussian", "heavy", "digits")
FRESH = 4000  # fresh samples that stand for the population where it is not Gaussian


@dataclass(frozen=True)
class FeaturesSettings:
    """One comparison.

    Attributes:
        data: `gaussian`, `heavy` (Student's t with 6 degrees of freedom, covariance I) or `digits` (8 x 8, scaled to
            variance 1).
        d: dimension; 64 for digits.
        psi_p: features per dimension.
        psi_n: samples per dimension.
        t: diffusion time.
        activation: of the features.
        steps: gradient steps of each trained network.
        step: training time of one step of gradient descent; the learning rate is step x d^2.
        adam_lr: learning rate of Adam.
        seed: of data, features and noise.
        device: where the networks are trained.
    """

    data: str = "gaussian"
    d: int = 50
    psi_p: float = 16.0
    psi_n: float = 4.0
    t: float = 0.01
    activation: str = "tanh"
    steps: int = 5000
    step: float = 2.0
    adam_lr: float = 0.05
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_choice("data", self.data, DATA)
        check_integer("d", self.d, low=2)
        check_integer("steps", self.steps, low=1)
        check_integer("seed", self.seed, low=0)
        for name in ("psi_p", "psi_n", "t", "step", "adam_lr"):
            check_number(name, getattr(self, name), low=0, low_open=True)


@dataclass(frozen=True, eq=False)
class Features:
    """What the three ways gave, each with curves `train` and `test`.

    Attributes:
        settings: what was asked for, with d as it was.
        model: the limit theory for this covariance.
        theory: its curves, along training time.
        closed: the closed form of this draw of features and data: gradient descent with the noise averaged over.
        descent: the network trained by gradient descent with fresh noise, along training time.
        adam: the network trained by Adam, along steps.
        bound: proven error bound of the training moments.
    """

    settings: FeaturesSettings
    model: RandomFeatures
    theory: LearningCurves
    closed: LearningCurves
    descent: LearningCurves
    adam: LearningCurves
    bound: float


def run_features(settings: FeaturesSettings, on_progress: Callable[[float], None] = lambda _: None) -> Features:
    """Make the data, train, and evaluate.

    Args:
        settings: what to do.
        on_progress: called with the share of the gradient steps done.
    """
    generator = np.random.default_rng(settings.seed)
    x, fresh, covariance = _data(settings, generator)
    n, d = x.shape
    p = max(1, round(settings.psi_p * d))
    model = RandomFeatures(p / d, n / d, settings.t, settings.activation, covariance)
    finite = FiniteModel.draw(p, d, settings.t, generator, settings.activation, covariance.variance)
    train = finite.data_moments(x)
    test = finite.gaussian_moments(covariance.eigenvalues(d)) if fresh is None else finite.data_moments(fresh)
    floor = lowest_loss(covariance, settings.t) if fresh is None else None
    rule = GradientDescent(settings.step)
    tau = np.unique(np.round(np.geomspace(1, settings.steps, 60))) * settings.step
    closed = finite.learning_curves(train, test, tau, dynamics=rule, floor=floor)
    theory = model.learning_curves(tau, dynamics=rule)

    def report(kind: int) -> Callable[[int], None]:
        return lambda step: on_progress((kind + step / settings.steps) / 2)

    descent = _trained(settings, finite, x, train, test, "sgd", settings.step * d**2, floor, report(0))
    adam = _trained(settings, finite, x, train, test, "adam", settings.adam_lr, floor, report(1))
    return Features(settings, model, theory, closed, descent, adam, max(train.bound, test.bound))


def _data(
    settings: FeaturesSettings, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, Covariance]:
    """Training samples (n, d), fresh ones (None when the population is Gaussian and exact), their covariance."""
    if settings.data == "digits":
        pixels = open_images("digits").pixels.reshape(-1, 64).astype(np.float64)
        pixels = (pixels - pixels.mean(0)) / pixels.std()
        n = max(1, round(settings.psi_n * 64))
        check(n <= len(pixels) - 200, f"psi_n must be at most {(len(pixels) - 200) / 64:g} for digits, got {n / 64:g}")
        order = generator.permutation(len(pixels))
        return pixels[order[:n]], pixels[order[n:]], Covariance.from_data(pixels)
    n, d = max(1, round(settings.psi_n * settings.d)), settings.d
    if settings.data == "heavy":
        return heavy_tailed(n, d, 6.0, generator), heavy_tailed(FRESH, d, 6.0, generator), Covariance.isotropic()
    return generator.standard_normal((n, d)), None, Covariance.isotropic()


def _trained(
    settings: FeaturesSettings,
    finite: FiniteModel,
    x: NDArray[np.float64],
    train: SecondMoments,
    test: SecondMoments,
    optimizer: str,
    lr: float,
    floor: float | None,
    on_step: Callable[[int], None],
) -> LearningCurves:
    """Exact losses of the weights along real training."""
    device = resolve_device(settings.device)
    network = RandomFeaturesNet(torch.from_numpy(finite.weights).to(device), settings.activation, finite.mean)
    denoiser = NetworkDenoiser(network, OrnsteinUhlenbeck(), "score")
    made = build_optimizer([network.weights], optimizer, lr, momentum=0.0)
    times = {int(k) for k in np.unique(np.round(np.geomspace(1, settings.steps, 60)))}
    steps, losses = [], []
    records = train_steps(
        denoiser,
        torch.from_numpy(x).to(device),
        made,
        steps=settings.steps,
        batch=0,
        seed=settings.seed,
        fixed_t=settings.t,
    )
    for record in records:
        if record.step in times:
            weights = network.weights.detach().cpu().numpy()
            losses.append((finite.loss(weights, train), finite.loss(weights, test)))
            steps.append(record.step)
            on_step(record.step)
    unit = settings.step if optimizer == "sgd" else 1.0
    tau, values = np.array(steps) * unit, np.array(losses).T
    return as_curves(tau, values[0], values[1], floor=floor, t=settings.t)


def training(settings: FeaturesSettings, on_progress: Callable[[float], None] = lambda _: None) -> Answer:
    """`run_features` as an answer to print."""
    found = run_features(settings, on_progress)
    model, ways = found.model, {
        "theory": found.theory, "closed": found.closed, "descent": found.descent, "adam": found.adam
    }  # fmt: skip
    title = f"{settings.data} data: ψ_p = {model.psi_p:g}, ψ_n = {model.psi_n:g}, t = {model.t:g}"
    rows = [
        {"way": name, "tau": tau, "train": train, "test": test}
        for name, c in ways.items()
        for tau, train, test in zip(c.test.tau, c.train.value, c.test.value, strict=True)
    ]
    labels = {
        "theory": "limit theory", "closed": "closed form at this d", "descent": "trained, fresh noise", "adam": "Adam"
    }  # fmt: skip
    lines = [title, "", f"{'':<23} lowest test loss   at tau     test at the end   train at the end"]
    for name, c in ways.items():
        i = int(c.test.value.argmin())
        at = f"{short(c.test.tau[i])}{' steps' if name == 'adam' else ''}"
        ends = f"{c.test.value[-1]:<17.5f} {c.train.value[-1]:.5f}"
        lines.append(f"{labels[name]:<23} {c.test.value[i]:<18.5f} {at:<10} {ends}")
    away = {
        name: [float(np.abs(getattr(found.closed, part).value - getattr(ways[name], part).value).max())
               for part in ("train", "test")]
        for name in ("theory", "descent")
    }  # fmt: skip
    lines.append(f"\nlargest distance from the closed form (training, test loss): theory {away['theory'][0]:.2g}, "
                 f"{away['theory'][1]:.2g}; trained {away['descent'][0]:.2g}, {away['descent'][1]:.2g}")  # fmt: skip

    def draw(path: Path) -> None:
        from genwindow.report import png, training_figure

        png(training_figure(found.theory, found.closed, found.descent, found.adam, title), path)

    curves = {name: [c.train.to_json(), c.test.to_json()] for name, c in ways.items()}
    data = {"settings": asdict(settings), "curves": curves, "distance_from_closed_form": away, "bound": found.bound}
    return Answer("\n".join(lines), data, rows, draw)
