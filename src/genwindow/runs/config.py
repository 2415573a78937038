"""The settings of one run, put together, read from and written to JSON before the first step.

`RunConfig` alone decides what a run computes. Where it is stored and how it is shown is not part of it, and the device
decides no more than the rounding: it does not name the run, which may go on elsewhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from genwindow.errors import GenwindowError, check, raise_all
from genwindow.runs.settings import DataSettings, DiffusionSettings, MeasureSettings, NetSettings, TrainSettings
from genwindow.train import batch_size

LATER = (
    "data.dimension",
    "data.parameter",
    "data.class_weights",
    "net.conditional",
    "train.label_dropout",
    "measure.guidance",
    "measure.also_samplers",
    "measure.most_samples",
    "measure.forecast",
    "train.stop_in_window",
    "data.groups",
)
"""Settings added after there were run folders; at their defaults the digest, which names folders, is as it was."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides the result of one run.

    Attributes:
        data: which images.
        diffusion: the noising process.
        net: the network.
        train: the optimisation.
        measure: what is measured along training.
        device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the fastest one there is; every random number is drawn on
            the CPU, so runs on different devices differ by rounding only.
        precision: `float32`, or `bfloat16` for mixed precision in training.
    """

    data: DataSettings = field(default_factory=DataSettings)
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)
    net: NetSettings = field(default_factory=NetSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        known = re.fullmatch(r"auto|(cpu|cuda|mps)(:\d+)?", self.device)
        check(known is not None, f"device must be cpu, cuda, cuda:N, mps or auto; got {self.device!r}")

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
    def batch_size(self) -> int:
        """Images per step, as a number where `train.batch` says all."""
        return batch_size(self.train.batch, self.data.n)

    @property
    def digest(self) -> str:
        """Ten hexadecimal digits that name these settings, whatever the device, and whether 0 or 0.0 was written."""
        settings, default = RunConfig.from_json(self.to_json()).to_json(), RunConfig().to_json()
        settings["device"] = default["device"]
        octave = settings["measure"]["per_octave"]
        if octave != default["measure"]["per_octave"] and octave.is_integer():
            settings["measure"]["per_octave"] = int(octave)  # as the folders of all experiments have it
        for group, name in (path.split(".") for path in LATER):
            if settings[group][name] == default[group][name]:
                del settings[group][name]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:10]


def fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value has the annotated type (int is accepted for float, list for tuple)."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return value in args
    if origin in (types.UnionType, typing.Union):
        return any(fits(value, a) for a in args)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(fits(v, args[0]) for v in value)
    if hint is float:
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
        return isinstance(value, float) or whole
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return value is None if hint is type(None) else isinstance(value, hint)


def _plain(value: Any, hint: Any) -> Any:
    """A value that fits, in its one form: lists as tuples, whole numbers as float where a float is meant, no -0.0."""
    if isinstance(value, list | tuple):
        return tuple(_plain(v, hint) for v in value)
    return float(value) + 0.0 if isinstance(value, int | float) and _takes_float(hint) else value


def _takes_float(hint: Any) -> bool:
    return hint is float or any(_takes_float(arg) for arg in typing.get_args(hint))


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
        elif fits(data[name], hint):
            values[name] = _plain(data[name], hint)
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
