"""The settings of one run: frozen dataclasses of plain values, checked when built, written before the first step.

`RunConfig` alone decides what a run computes. Where it is stored and how it is shown is not part of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from genwindow.errors import GenwindowError, raise_all


def _problems(checks: Mapping[str, bool], values: object) -> list[str]:
    """`field must be ...: got value` for every failed check; the key is `field must be ...`."""
    return [f"{rule}, got {getattr(values, rule.split()[0])!r}" for rule, ok in checks.items() if not ok]


@dataclass(frozen=True)
class DataSettings:
    """Which images, and how they are divided.

    Attributes:
        source: a named set (`digits`, `mnist`, `orl-faces`) or a path: folder of images, .zip, .npy or .npz.
        n: number of training images.
        size: side length in pixels to resize and centre-crop to; null keeps images as they are.
        channels: `grey`, `colour`, or null to keep what the images have.
        heldout: number of held-out images, never trained on; null takes a fifth of the set.
        reference: number of reference images, used only to know how far two sets of real images are apart; null takes
            a fifth of the set.
        seed: which division. Training sets of one seed are nested: n = 64 is contained in n = 128.
    """

    source: str = "digits"
    n: int = 64
    size: int | None = None
    channels: Literal["grey", "colour"] | None = None
    heldout: int | None = None
    reference: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        raise_all(
            "data settings",
            _problems(
                {
                    "source must not be empty": bool(self.source),
                    "n must be at least 1": self.n >= 1,
                    "size must be null or at least 1": self.size is None or self.size >= 1,
                    "heldout must be null or at least 2": self.heldout is None or self.heldout >= 2,
                    "reference must be null or at least 2": self.reference is None or self.reference >= 2,
                    "seed must not be negative": self.seed >= 0,
                },
                self,
            ),
        )


@dataclass(frozen=True)
class DiffusionSettings:
    """The noising process and what the network predicts.

    Attributes:
        schedule: `linear` (DDPM, 1000 steps, beta from 1e-4 to 2e-2), `cosine`, `ou` (Ornstein-Uhlenbeck) or `flow`
            (rectified flow).
        prediction: what the network outputs: `noise`, `data`, `score` or `velocity`.
    """

    schedule: Literal["linear", "cosine", "ou", "flow"] = "linear"
    prediction: Literal["noise", "data", "score", "velocity"] = "noise"


@dataclass(frozen=True)
class NetSettings:
    """The network.

    Attributes:
        kind: `unet` (for images) or `mlp` (residual network on flattened images or vectors).
        width: base number of channels of the U-Net (a multiple of 8), or hidden width of the MLP.
        blocks: number of residual blocks of the MLP; the U-Net has two per level whatever this says.
        dropout: dropout rate inside the U-Net's residual blocks.
    """

    kind: Literal["unet", "mlp"] = "mlp"
    width: int = 256
    blocks: int = 3
    dropout: float = 0.0

    def __post_init__(self) -> None:
        raise_all(
            "net settings",
            _problems(
                {
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
        fixed_t: train at this one diffusion time only; null trains at all of them.
        seed: seed of the initial weights and of every draw during training.
    """

    steps: int = 4000
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 1e-3
    momentum: float = 0.95
    batch: int = 512
    ema: float = 0.0
    fixed_t: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        raise_all(
            "train settings",
            _problems(
                {
                    "steps must be at least 1": self.steps >= 1,
                    "lr must be above 0": self.lr > 0,
                    "momentum must be in [0, 1)": 0 <= self.momentum < 1,
                    "batch must be 0 (full) or positive": self.batch >= 0,
                    "ema must be in [0, 1)": 0 <= self.ema < 1,
                    "fixed_t must be null or positive": self.fixed_t is None or self.fixed_t > 0,
                    "seed must not be negative": self.seed >= 0,
                },
                self,
            ),
        )


@dataclass(frozen=True)
class MeasureSettings:
    """What is measured along training, and when.

    Attributes:
        first: first measuring time in steps.
        per_octave: measuring times per doubling of the training time.
        samples: images generated at each measuring time.
        sampler: `ddim`, `ddpm`, `heun` or `euler`.
        sampler_steps: steps of the sampler; null means every step of a discrete schedule, else 100.
        threshold: a sample counts as a copy when its nearest training image is this many times nearer than the second.
        loss_times: fixed diffusion times of the denoising losses, as shares of the longest diffusion time.
        loss_images: how many training and how many held-out images the losses use.
        loss_draws: noise draws per image and diffusion time.
    """

    first: int = 100
    per_octave: float = 2.0
    samples: int = 512
    sampler: Literal["ddim", "ddpm", "heun", "euler"] = "ddim"
    sampler_steps: int | None = 50
    threshold: float = 1 / 3
    loss_times: tuple[float, ...] = (0.02, 0.05, 0.1, 0.25, 0.5)
    loss_images: int = 256
    loss_draws: int = 4

    def __post_init__(self) -> None:
        raise_all(
            "measure settings",
            _problems(
                {
                    "first must be at least 1": self.first >= 1,
                    "per_octave must be in (0, 32]": 0 < self.per_octave <= 32,
                    "samples must be at least 2": self.samples >= 2,
                    "sampler_steps must be null or at least 1": self.sampler_steps is None or self.sampler_steps >= 1,
                    "threshold must be in (0, 1)": 0 < self.threshold < 1,
                    "loss_times must be shares in (0, 1], at least one, increasing": bool(self.loss_times)
                    and all(0 < t <= 1 for t in self.loss_times)
                    and list(self.loss_times) == sorted(set(self.loss_times)),
                    "loss_images must be at least 1": self.loss_images >= 1,
                    "loss_draws must be at least 1": self.loss_draws >= 1,
                },
                self,
            ),
        )


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides the result of one run.

    Attributes:
        data: which images.
        diffusion: the noising process.
        net: the network.
        train: the optimisation.
        measure: what is measured along training.
        device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the fastest one there is.
        precision: `float32`, or `bfloat16` for mixed precision in training.
    """

    data: DataSettings = field(default_factory=DataSettings)
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)
    net: NetSettings = field(default_factory=NetSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"

    def to_json(self) -> dict[str, Any]:
        """Nested dictionary of plain values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunConfig:
        """The inverse of `to_json`; unknown and ill-typed settings are all reported at once."""
        problems: list[str] = []
        config = _build(cls, data, "", problems)
        raise_all("configuration", problems)
        return config

    @property
    def digest(self) -> str:
        """Ten hexadecimal digits that name these settings."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:10]


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value has the annotated type (int is accepted for float, list for tuple)."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return value in args
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, a) for a in args)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(v, args[0]) for v in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return value is None if hint is type(None) else isinstance(value, hint)


def _build(cls: type, data: Any, path: str, problems: list[str]) -> Any:
    """Build dataclass `cls` from a mapping; problems are collected with their dotted path."""
    hints = typing.get_type_hints(cls)
    if not isinstance(data, Mapping):
        problems.append(f"{path or 'the file'} must be a table of settings, got {data!r}")
        return cls()
    problems.extend(f"unknown setting {path}{k}" for k in data if k not in hints)
    values: dict[str, Any] = {}
    for name, hint in hints.items():
        if name not in data:
            continue
        if dataclasses.is_dataclass(hint):
            values[name] = _build(typing.cast(type, hint), data[name], f"{path}{name}.", problems)
        elif _fits(data[name], hint):
            values[name] = tuple(data[name]) if isinstance(data[name], list) else data[name]
        else:
            problems.append(f"{path}{name} has the wrong type: {data[name]!r}")
    try:
        return cls(**values)
    except GenwindowError as error:
        problems.append(str(error))
        return cls()


def flat(config: RunConfig) -> dict[str, Any]:
    """Every setting by its dotted name."""

    def walk(tree: Mapping[str, Any], path: str) -> dict[str, Any]:
        items: dict[str, Any] = {}
        for key, value in tree.items():
            items.update(walk(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value})
        return items

    return walk(config.to_json(), "")


def differences(one: RunConfig, other: RunConfig) -> list[str]:
    """`data.n: 64 against 128` for every setting that differs."""
    a, b = flat(one), flat(other)
    return [f"{k}: {a[k]!r} against {b[k]!r}" for k in a if a[k] != b[k]]


def varying(configs: Sequence[RunConfig]) -> dict[str, list[str]]:
    """The settings in which several configurations differ, each with its value in every one of them."""
    tables = [flat(config) for config in configs]
    columns = {name: [plain(table[name]) for table in tables] for name in (tables[0] if tables else {})}
    return {name: values for name, values in columns.items() if len(set(values)) > 1}


def plain(value: Any) -> str:
    """A setting as people write it."""
    if isinstance(value, list | tuple):
        return " ".join(plain(v) for v in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "null" if value is None else str(value)
