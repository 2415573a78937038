"""`supervised`: the same two times in plain regression on noisy labels, by a two-layer network.

No diffusion: a teacher labels normal points, the labels get noise, and a two-layer network is trained on all of them at
once by gradient descent. Three times are read from its errors, without theory:

- tau_gen: the test error has made 90 % of its best gain;
- tau_mem: the training error has fallen below half the noise variance, so half of the noise has been learned, which
  says nothing about fresh points;
- tau_rise: the test error has lost 5 % of its best gain again.

A fourth is predicted: tau_linear is tau_mem of the network linearized at its start, from its tangent kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from genwindow.analysis import PowerLaw, collapse, fit_power_law, onset, tau_gen_from_loss
from genwindow.analysis.onset import falling_onset
from genwindow.curve import Curve, Estimate, short
from genwindow.data import RegressionTask
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import GenwindowError, check, check_integer, check_number
from genwindow.experiments.arms import law_words, slopes_words, spread_words
from genwindow.experiments.experiment import Finding
from genwindow.experiments.settings import Scale
from genwindow.experiments.study import Case, Outcome, Study
from genwindow.nets import TwoLayerNet
from genwindow.report import Line, Panel, Tile, Times, panels_figure, size_colours
from genwindow.report.palette import COPY, GENERATE, INK, MUTED
from genwindow.train import resolve_device

FRESH = 4000
"""Fresh points on which the test error is measured."""
LEARNED = 0.5
"""tau_mem: the training error is below this share of the noise variance."""
LOST = 0.05
"""tau_rise: the test error has lost this share of its best gain."""
NAMES = ("tau_gen", "tau_mem", "tau_linear", "tau_rise")


@dataclass(frozen=True)
class SupervisedSettings:
    """One network.

    Attributes:
        n: training points; those of one seed are nested.
        d: dimension.
        units: hidden units of the teacher.
        noise: variance of the label noise; the teacher's own is 1.
        width: hidden units of the network.
        activation: of the network.
        lr: learning rate of gradient descent on the mean squared error of all points.
        steps: gradient steps.
        seed: of teacher, points, noise and first weights.
        device: where it is trained.
    """

    n: int
    d: int = 16
    units: int = 4
    noise: float = 0.25
    width: int = 1024
    activation: str = "relu"
    lr: float = 0.2
    steps: int = 2000
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("n", "d", "units", "width", "steps"):
            check_integer(name, getattr(self, name), low=1)
        check_integer("seed", self.seed, low=0)
        for name in ("noise", "lr"):
            check_number(name, getattr(self, name), low=0, low_open=True)


def settings(scale: Scale) -> Sequence[SupervisedSettings]:
    """Every n with several seeds; longer training for more points."""
    if scale == "smoke":
        return [SupervisedSettings(n, d=4, width=64, lr=0.2, steps=300) for n in (8, 16, 32)]
    if scale == "cpu":
        lengths = {64: 400, 128: 600, 256: 1000, 512: 1600, 1024: 2800}
        return [SupervisedSettings(n, steps=steps, seed=seed) for n, steps in lengths.items() for seed in range(3)]
    sizes = (128, 256, 512, 1024, 2048, 4096, 8192)
    return [
        SupervisedSettings(n, d=32, width=16_384, steps=60 * n, seed=seed, device="auto")
        for n in sizes
        for seed in range(5)
    ]


def compute(given: SupervisedSettings) -> dict[str, Any]:
    """Train one network; its errors along training, the times read from them, and tau_mem of its linearization.

    Raises:
        GenwindowError: when training diverges.
    """
    task = RegressionTask.draw(given.d, given.units, given.noise, np.random.default_rng([given.seed, 0]))
    train = task.sample(given.n, np.random.default_rng([given.seed, 1]))
    fresh = task.sample(FRESH, np.random.default_rng([given.seed, 2]))
    device = resolve_device(given.device)
    network = TwoLayerNet(given.d, given.width, keyed_generator("two layers", given.seed), given.activation).to(device)
    x, y, test_x, clean = (torch.from_numpy(a).float().to(device) for a in (train.x, train.y, fresh.x, fresh.clean))
    optimizer = torch.optim.SGD(network.parameters(), given.lr)
    times = np.unique(np.round(np.geomspace(1, given.steps, 80)))
    kernel = network.tangent_kernel(x).double().cpu().numpy()
    rows = []
    for step in range(1, given.steps + 1):
        optimizer.zero_grad()
        (network(x) - y).square().mean().backward()
        optimizer.step()
        if step in times:
            with torch.no_grad():
                error = float((network(x) - y).square().mean())
                # the noise of fresh labels is known, so its variance is added instead of drawn
                rows.append((step, error, float((network(test_x) - clean).square().mean()) + given.noise))
            if not np.isfinite(error) or error > 1e3:
                raise GenwindowError(f"training diverged by step {step} (error {error:g}); take a smaller lr")
    tau, errors, tests = np.array(rows).T
    curves = {"train": Curve("train_error", tau, errors), "test": Curve("test_error", tau, tests)}
    times_found = read_times(curves["train"], curves["test"], given.noise)
    times_found["tau_linear"] = _noise_learned(linearized_error(kernel, train.y, given.lr, tau), given.noise)
    return {
        **{name: curve.to_json() for name, curve in curves.items()},
        **{name: estimate.to_json() for name, estimate in times_found.items()},
        "best": float(tests.min()),
        "parameters": sum(weight.numel() for weight in network.parameters()),
    }


def read_times(train: Curve, test: Curve, noise: float) -> dict[str, Estimate]:
    """tau_gen, tau_mem and tau_rise of one network.

    Args:
        train: training error along training.
        test: test error on noisy labels, at the same times; before training it is 1 + noise.
        noise: variance of the label noise, the lowest test error there is.
    """
    check(bool(np.array_equal(train.tau, test.tau)), "train and test must be measured at the same training times")
    check_number("noise", noise, low=0, low_open=True)
    at = int(test.value.argmin())
    best = float(test.value[at])
    later = Curve(test.name, test.tau[at:], test.value[at:])
    level = best + LOST * (1 + noise - best)
    never = Estimate(None, None, None, "ill_posed", "test_rise", "the test error never fell below that of the start")
    return {
        "tau_gen": tau_gen_from_loss(test, start=1 + noise),
        "tau_mem": _noise_learned(train, noise),
        "tau_rise": never
        if best >= 1 + noise
        else onset(later, level, method="test_rise", what="test error risen again"),
    }


def _noise_learned(train: Curve, noise: float) -> Estimate:
    return falling_onset(train, LEARNED * noise, method="noise_learned", what="half of the noise learned")


def linearized_error(kernel: NDArray[np.float64], y: NDArray[np.float64], lr: float, steps: ArrayLike) -> Curve:
    """Training error of a network linearized at its start, where it is zero, under gradient descent.

        E(k) = (1/n) sum_i (1 - 2 lr lambda_i/n)^(2 k) (u_i . y)^2

    Args:
        kernel: (n, n) tangent kernel at the start, with eigenvalues lambda_i and eigenvectors u_i.
        y: (n,) labels.
        lr: learning rate of gradient descent on the mean squared error.
        steps: (T,) numbers of steps k.

    Raises:
        GenwindowError: for a learning rate at which it diverges.
    """
    check_number("lr", lr, low=0, low_open=True)
    eigenvalues, modes = np.linalg.eigh(kernel)
    largest = len(y) / float(eigenvalues[-1]) if eigenvalues[-1] > 0 else math.inf
    check(lr < largest, f"lr must be below {largest:.3g}, where the linearized network diverges; got {lr:g}")
    tau = np.asarray(steps, dtype=np.float64)
    left = (1 - 2 * lr * eigenvalues / len(y)) ** (2 * tau[:, None])
    return Curve("linear_error", tau, left @ (modes.T @ y) ** 2 / len(y))


def analyse(cases: Sequence[Case]) -> Outcome:
    """The three times against n."""
    sizes = [case.settings.n for case in cases]
    times = {name: [Estimate.from_json(case.result[name]) for case in cases] for name in NAMES}
    laws = {name: fit_power_law(sizes, times[name]) for name in NAMES}
    gen = [e.value for e in times["tau_gen"] if e.value is not None]
    noise = cases[0].settings.noise
    below = sum(float(case.result["train"]["value"][-1]) < LEARNED * noise for case in cases)
    sentences = (
        f"tau_mem, when half of the label noise is learned, grows as n to the power "
        f"{law_words(laws['tau_mem'])}, while tau_gen goes as n to the power "
        f"{law_words(laws['tau_gen'])}"
        + (f" and stays within {spread_words(gen)}." if gen else "."),
        f"Local slopes of log tau_mem between neighbouring sizes: {_slopes(laws['tau_mem'])}; of log tau_gen: "
        f"{_slopes(laws['tau_gen'])}.",
        f"tau_mem of the network linearized at its start, by its tangent kernel, grows as n to the power "
        f"{law_words(laws['tau_linear'])}, with local slopes {_slopes(laws['tau_linear'])}; tau_mem of "
        f"training over it, the mean over seeds: {_over_linear(cases)}.",
        f"The test error has lost {LOST:.0%} of its gain at a time that grows as n to the power "
        f"{law_words(laws['tau_rise'])}.",
        f"In the end the training error of {below} of {len(cases)} networks is below half the noise variance: what was "
        "learned after tau_gen is the noise of the labels.",
    )  # fmt: skip
    parts = [(n, list(part)) for n, part in groupby(cases, key=lambda case: int(case.settings.n))]
    summary = {
        "exponent": {name: law.exponent.to_json() for name, law in laws.items()},
        "local_slopes": {name: law.local_slopes.tolist() for name, law in laws.items()},
        "tau_gen_spread": max(gen) / min(gen) if gen else None,
        "runs": [
            {"n": case.settings.n, "seed": case.settings.seed, "best": case.result["best"],
             **{name: case.result[name] for name in NAMES}}
            for case in cases
        ],
    }  # fmt: skip
    caption = (
        "Above: error on fresh points and on training points along training, one line for each n, of one seed. Below: "
        "training error against steps per training point, and the times of every network; crosses are tau_mem of its "
        "linearization."
    )
    figure = panels_figure(_panels(parts, sizes, times, laws))
    tiles = (
        Tile("tau_gen", _range(times["tau_gen"]), "steps to 90 % of the best gain", "generate"),
        Tile("tau_mem", _range(times["tau_mem"]), "steps to half of the noise", "copy"),
        Tile("tau_mem grows as", f"n^{laws['tau_mem'].exponent.value or 0:.2f}", "95 %: " + _interval(laws), "plain"),
    )
    return Outcome(Finding(summary, sentences, figure, caption), tuple(_row(n, part) for n, part in parts), tiles)


def _over_linear(cases: Sequence[Case]) -> str:
    """tau_mem over tau_linear, the geometric mean of the cases of each n that have both."""
    ratios: dict[int, list[float]] = {}
    for case in cases:
        mem, linear = (Estimate.from_json(case.result[name]).value for name in ("tau_mem", "tau_linear"))
        if mem and linear:
            ratios.setdefault(case.settings.n, []).append(mem / linear)
    return ", ".join(f"{np.exp(np.log(found).mean()):.2f} (n = {n})" for n, found in ratios.items()) or "unknown"


def _slopes(law: PowerLaw) -> str:
    return slopes_words(law.local_slopes.tolist())


def _interval(laws: dict[str, PowerLaw]) -> str:
    found = laws["tau_mem"].exponent
    return "unknown" if found.low is None or found.high is None else f"{found.low:.2f} to {found.high:.2f}"


def _range(times: Sequence[Estimate]) -> str:
    known = [e.value for e in times if e.value is not None]
    return f"{short(min(known))} – {short(max(known))}" if known else "-"


def _row(n: int, cases: Sequence[Case]) -> dict[str, str]:
    def words(name: str) -> str:
        return ", ".join(str(Estimate.from_json(case.result[name])).partition(" [")[0] for case in cases)

    best = np.mean([case.result["best"] for case in cases])
    end = np.mean([case.result["test"]["value"][-1] for case in cases])
    return {"points": f"n = {n}", **{name: words(name) for name in NAMES}, "lowest error": f"{best:.3g}",
            "at the end": f"{end:.3g}"}  # fmt: skip


def _panels(
    parts: Sequence[tuple[int, list[Case]]],
    sizes: Sequence[int],
    times: dict[str, list[Estimate]],
    laws: dict[str, PowerLaw],
) -> list[Panel]:
    colours = size_colours([n for n, _ in parts])
    curves = {
        kind: [(n, Curve.from_json(part[0].result[kind])) for n, part in parts] for kind in ("test", "train")
    }  # fmt: skip
    lines = {
        kind: [Line(f"n = {n}" if kind == "test" else "", curve, colours[n]) for n, curve in found]
        for kind, found in curves.items()
    }
    scaled = collapse([curve for _, curve in curves["train"]], [n for n, _ in parts]).curves
    together = [Line("", curve, colours[n]) for curve, (n, _) in zip(scaled, parts, strict=True)]
    looks = (
        ("τ_gen", "tau_gen", GENERATE, "o"),
        ("τ_mem", "tau_mem", COPY, "D"),
        ("τ_mem, linearized", "tau_linear", INK, "x"),
        ("test rises", "tau_rise", MUTED, "^"),
    )
    marks = [
        Times(label, sizes, times[name], colour, marker, laws[name] if name in ("tau_gen", "tau_mem") else None)
        for label, name, colour, marker in looks
    ]
    steps = "gradient steps τ"
    return [
        Panel("error on fresh points", steps, "mean squared error", lines["test"]),
        Panel("error on training points", steps, "mean squared error", lines["train"]),
        Panel("training error against τ/n", "steps per training point τ/n", "mean squared error", together),
        Panel("the times", "training points n", steps, marks, guide=1.0),
    ]


STUDY = Study(
    "supervised",
    "Regression on noisy labels has the same two times",
    "the two times are no property of diffusion: a network that regresses noisy labels learns the function in a time "
    "that does not depend on n, and the noise in a time that grows with n (asked for in the reviews of arXiv "
    "2505.17638).",
    settings,
    compute,
    analyse,
    (
        "One architecture, one teacher, one noise level and plain gradient descent; with them the times change, and "
        "whether the law does is not shown.",
        "Where n is well below its width the network is close to its linearization, as random features are. A network "
        "that changes its features much may behave otherwise.",
        "tau_mem is read from the training error and needs the variance of the label noise, which is known here only "
        "because the labels are made.",
    ),
)
