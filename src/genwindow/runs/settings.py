"""The settings of one run, group by group: frozen dataclasses of plain values, checked when built.

`RunConfig` puts them together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from genwindow.diffusion.samplers import SamplerName
from genwindow.errors import raise_all


def _problems(checks: Mapping[str, bool], values: object) -> list[str]:
    """`field must be ...: got value` for every failed check; the key is `field must be ...`."""
    return [f"{rule}, got {getattr(values, rule.split()[0])!r}" for rule, ok in checks.items() if not ok]


FARTHEST = 1e4
"""Coordinate of the mixture's centres: there float32 still tells points 0.001 apart."""


@dataclass(frozen=True)
class DataSettings:
    """Which images, and how they are divided.

    Attributes:
        source: a named set (`digits`, `mnist`, `orl-faces`), a path (folder of images, .zip, .tar, .npy or .npz), or
            the law of synthetic points (`mixture`, `power-law`, `heavy-tails`).
        n: number of training images.
        size: side length in pixels to resize and centre-crop to; null keeps images as they are.
        channels: `grey`, `colour`, or null to keep what the images have.
        dimension: of synthetic points.
        parameter: of the law of synthetic points: coordinate of the centres of `mixture`, exponent of `power-law`,
            degrees of freedom of `heavy-tails`; null takes 1, 1 and 3.
        heldout: number of held-out images, never trained on; null takes a fifth of the set, or 1000 synthetic points.
        reference: number of reference images, used only to know how far two sets of real images are apart; null as for
            `heldout`.
        class_weights: shares of the classes 0, 1, ... in every set, in any unit, for example (4, 1); classes beyond
            them are left out. Null takes the images as they come.
        seed: which division. Training sets of one seed are nested: n = 64 is contained in n = 128.
        groups: what sub-folders, persons or patients are: `together`, a group is never divided between training,
            held-out and reference images; `classes`, for networks that are told them; `ignored`.
    """

    source: str = "digits"
    n: int = 64
    size: int | None = None
    channels: Literal["grey", "colour"] | None = None
    heldout: int | None = None
    reference: int | None = None
    seed: int = 0
    dimension: int = 8
    parameter: float | None = None
    class_weights: tuple[float, ...] | None = None
    groups: Literal["together", "classes", "ignored"] = "together"

    def __post_init__(self) -> None:
        raise_all(
            "data settings",
            _problems(
                {
                    "source must not be empty": bool(self.source),
                    "n must be at least 1": self.n >= 1,
                    "size must be null or at least 1": self.size is None or self.size >= 1,
                    "dimension must be at least 1": self.dimension >= 1,
                    "parameter must be null or a finite number": self.parameter is None
                    or math.isfinite(self.parameter),
                    f"parameter must be within {FARTHEST:g} of 0 for the mixture": self.parameter is None
                    or self.source != "mixture"
                    or abs(self.parameter) <= FARTHEST,
                    "heldout must be null or at least 2": self.heldout is None or self.heldout >= 2,
                    "reference must be null or at least 2": self.reference is None or self.reference >= 2,
                    "class_weights must be null or at least two numbers above 0": self.class_weights is None
                    or (len(self.class_weights) >= 2 and all(0 < w < math.inf for w in self.class_weights)),
                    "seed must not be negative": self.seed >= 0,
                },
                self,
            ),
        )


@dataclass(frozen=True)
class DiffusionSettings:
    """The noising process and what the network predicts.

    Attributes:
        schedule: `linear` (DDPM, 1000 steps, beta from 1e-4 to 2e-2), `cosine`, `ou` (Ornstein-Uhlenbeck), `flow`
            (rectified flow) or `interpolant` (trigonometric stochastic interpolant).
        prediction: what the network outputs: `noise`, `data`, `score` or `velocity`.
    """

    schedule: Literal["linear", "cosine", "ou", "flow", "interpolant"] = "linear"
    prediction: Literal["noise", "data", "score", "velocity"] = "noise"


MOST_WEIGHTS = 1 << 32
"""Of a network: 16 GiB, and with their gradient and the moments of Adam as much as one large card holds."""


@dataclass(frozen=True)
class NetSettings:
    """The network.

    Attributes:
        kind: `unet` (for images) or `mlp` (residual network on flattened images or vectors).
        width: base number of channels of the U-Net (a multiple of 8), or hidden width of the MLP.
        blocks: number of residual blocks of the MLP; the U-Net has two per level whatever this says.
        dropout: dropout rate inside the U-Net's residual blocks.
        conditional: whether the network is told the class of an image; the data must have labels.
    """

    kind: Literal["unet", "mlp"] = "mlp"
    width: int = 256
    blocks: int = 3
    dropout: float = 0.0
    conditional: bool = False

    def __post_init__(self) -> None:
        per_square = 3920 if self.kind == "unet" else max(4 * self.blocks, 0) + 1
        widest = math.isqrt(MOST_WEIGHTS // per_square)
        raise_all(
            "net settings",
            _problems(
                {
                    f"width must be at most {widest} for {self.kind} with blocks={self.blocks}": self.width <= widest,
                    "width must be at least 2 and even": self.width >= 2 and self.width % 2 == 0,
                    "width must be a multiple of 8 for the unet": self.kind != "unet" or self.width % 8 == 0,
                    "blocks must be at least 1": self.blocks >= 1,
                    "dropout must be in [0, 1)": 0 <= self.dropout < 1,
                },
                self,
            ),
        )


@dataclass(frozen=True)
class TrainSettings:
    """The optimisation.

    Attributes:
        steps: number of gradient steps.
        optimizer: `adam` or `sgd` (with momentum).
        lr: learning rate.
        momentum: momentum of `sgd`.
        batch: images per step; min(batch, n) are used. 0 means the full training set at every step.
        ema: decay of the exponential moving average of the weights that is measured and sampled; 0 switches it off.
        fixed_t: train at this one diffusion time only, and look at the losses there; null trains at all of them. Such a
            network cannot generate: set measure.samples to 0 too.
        seed: seed of the initial weights and of every draw during training.
        label_dropout: share of the classes hidden from a conditional network, which guidance needs it to do without.
        stop_in_window: end the run when the monitor's rule says so: samples are good, and copying is about to begin.
    """

    steps: int = 4000
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 1e-3
    momentum: float = 0.95
    batch: int = 512
    ema: float = 0.0
    fixed_t: float | None = None
    seed: int = 0
    label_dropout: float = 0.0
    stop_in_window: bool = False

    def __post_init__(self) -> None:
        raise_all(
            "train settings",
            _problems(
                {
                    "steps must be at least 1": self.steps >= 1,
                    "lr must be above 0 and finite": 0 < self.lr < math.inf,
                    "momentum must be in [0, 1)": 0 <= self.momentum < 1,
                    "batch must be 0 (full) or positive": self.batch >= 0,
                    "ema must be in [0, 1)": 0 <= self.ema < 1,
                    "fixed_t must be null, or above 0 and finite": self.fixed_t is None or 0 < self.fixed_t < math.inf,
                    "seed must be in [0, 2^64)": 0 <= self.seed < 2**64,
                    "label_dropout must be in [0, 1)": 0 <= self.label_dropout < 1,
                },
                self,
            ),
        )


@dataclass(frozen=True)
class MeasureSettings:
    """What is measured along training, and when.

    Attributes:
        first: first measuring time in steps.
        per_octave: measuring times per doubling of the training time; two with 512 samples each, where a `Monitor` by
            itself takes three with 256.
        samples: images generated at each measuring time; 0 measures losses only.
        most_samples: draw up to so many where the verdict of the monitor hangs on it, and measure more often while
            copies threaten; null always draws `samples`, and keeps to the measuring times, except under
            `train.stop_in_window`, where it means eight times `samples`.
        sampler: `ddim`, `ddpm`, `heun` or `euler`.
        sampler_steps: steps of the sampler; null means every step of a discrete schedule, else 100.
        threshold: a sample counts as a copy when the distance to its nearest training image is below so much of that
            to the second.
        loss_times: fixed diffusion times of the denoising losses, as shares of the longest diffusion time.
        loss_images: how many training and how many held-out images the losses use.
        loss_draws: noise draws per image and diffusion time.
        guidance: weights of classifier-free guidance to sample with besides, each as the variant `w=WEIGHT`.
        also_samplers: samplers to sample with besides, each as a variant of its own name, with `sampler_steps` steps.
        forecast: when copying is expected to begin, from pilots, for the monitor to start from: lower end, median and
            upper end of the 90 % interval, in steps. `--forecast forecast.json` fills it in.
    """

    first: int = 100
    per_octave: float = 2.0
    samples: int = 512
    sampler: SamplerName = "ddim"
    sampler_steps: int | None = 50
    threshold: float = 1 / 3
    loss_times: tuple[float, ...] = (0.02, 0.05, 0.1, 0.25, 0.5)
    loss_images: int = 256
    loss_draws: int = 4
    guidance: tuple[float, ...] = ()
    also_samplers: tuple[SamplerName, ...] = ()
    most_samples: int | None = None
    forecast: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        raise_all(
            "measure settings",
            _problems(
                {
                    "first must be at least 1": self.first >= 1,
                    "per_octave must be in (0, 32]": 0 < self.per_octave <= 32,
                    "samples must be 0 (none) or at least 2": self.samples == 0 or self.samples >= 2,
                    "most_samples must be null or at least samples": self.most_samples is None
                    or self.most_samples >= self.samples,
                    "sampler_steps must be null or at least 1": self.sampler_steps is None or self.sampler_steps >= 1,
                    "threshold must be in (0, 1)": 0 < self.threshold < 1,
                    "loss_times must be shares in (0, 1], at least one, increasing": bool(self.loss_times)
                    and all(0 < t <= 1 for t in self.loss_times)
                    and list(self.loss_times) == sorted(set(self.loss_times)),
                    "loss_images must be at least 1": self.loss_images >= 1,
                    "loss_draws must be at least 1": self.loss_draws >= 1,
                    "guidance must be weights above 0, each once in six digits": all(
                        0 < w < math.inf for w in self.guidance
                    )
                    and len({f"{w:g}" for w in self.guidance}) == len(self.guidance),
                    "also_samplers must be others than the sampler, each once": self.sampler not in self.also_samplers
                    and len(set(self.also_samplers)) == len(self.also_samplers),
                    "forecast must be null or three times above 0, increasing": self.forecast is None
                    or (
                        len(self.forecast) == 3
                        and all(0 < tau < math.inf for tau in self.forecast)
                        and list(self.forecast) == sorted(self.forecast)
                    ),
                },
                self,
            ),
        )
