"""A grid: the list of run configurations that a few lines of settings stand for.

In a file (YAML or JSON) a grid looks like this, every part optional:

    base:            # what all runs share
      data: {source: digits}
      net: {kind: unet, width: 8}
    runs:            # settings that go together
      - {data.n: 64, train.steps: 5000}
      - {data.n: 128, train.steps: 10000}
    grid:            # every combination of these
      train.seed: [0, 1]

On the command line `--set data.n=64,128` is one row of `grid`. Nothing in a file is executed.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from genwindow.errors import GenwindowError, check, raise_all
from genwindow.runs import RunConfig
from genwindow.runs.config import differences

MOST = 100_000
"""More runs than this in one grid are taken for a mistake."""

Settings = Mapping[str, Any]


class Loader(yaml.SafeLoader):
    """Plain YAML in which `1e-3` is a number, as in JSON and on the command line; YAML 1.1 takes it for text."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


@dataclass(frozen=True)
class Grid:
    """Runs made of shared settings, settings that go together, and axes.

    Attributes:
        base: dotted names and values shared by all runs, on top of the defaults.
        runs: groups of settings that go together; an empty group stands for no more than `base`.
        axes: dotted name to its values; every combination of them is made for each group.
    """

    base: Settings = dataclasses.field(default_factory=dict)
    runs: Sequence[Settings] = ({},)
    axes: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)

    def configs(self) -> tuple[RunConfig, ...]:
        """Every run once, in the order of groups and axes.

        Raises:
            GenwindowError: naming every unknown setting and impossible value, or when there would be too many runs.
        """
        for name, values in self.axes.items():
            check(len(values) > 0, f"{name} has no values")
        count = len(self.runs)
        for values in self.axes.values():
            count *= len(values)
        check(count <= MOST, f"the grid has {count:,} runs; at most {MOST:,} are taken")
        made: dict[str, RunConfig] = {}
        problems: dict[str, None] = {}
        for group in self.runs:
            for values in itertools.product(*self.axes.values()):
                settings = {**self.base, **group, **dict(zip(self.axes, values, strict=True))}
                try:
                    config = RunConfig.from_json(_tree(settings))
                except GenwindowError as error:
                    problems[str(error)] = None
                    continue
                known = made.setdefault(config.digest, config)
                if known != config:
                    found = ", ".join(differences(known, config))
                    problems[f"two runs differ in nothing but {found}, which makes no other run; choose one"] = None
        raise_all("grid", list(problems)[:5])
        return tuple(made.values())

    def with_axes(self, axes: Mapping[str, Sequence[Any]]) -> Grid:
        """The same grid with further axes; an axis replaces the one, and the shared value, of its name."""
        clashing = [name for name in axes if any(name in group for group in self.runs)]
        check(not clashing, f"{', '.join(clashing)}: set in `runs` of the grid file already; change it there")
        return Grid(self.base, self.runs, {**self.axes, **axes})


def read_grid(path: str | Path) -> Grid:
    """Read a grid file.

    Raises:
        GenwindowError: when it cannot be read or has another form.
    """
    file = Path(path)
    try:
        data = yaml.load(file.read_text(), Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise GenwindowError(f"{file} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise GenwindowError(f"{file} is neither YAML nor JSON: {' '.join(str(error).split())}") from None
    check(isinstance(data, Mapping), f"{file} must hold a table with base, runs, grid; got {type(data).__name__}")
    unknown = sorted(str(key) for key in set(data) - {"base", "runs", "grid"})
    check(not unknown, f"{file}: unknown part {', '.join(unknown)}; a grid has base, runs and grid")
    base, groups, axes = data.get("base") or {}, data.get("runs") or [{}], data.get("grid") or {}
    check(isinstance(base, Mapping), f"{file}: base must be a table of settings")
    check(isinstance(axes, Mapping), f"{file}: grid must be a table of settings with lists of values")
    tables = isinstance(groups, list) and all(isinstance(group, Mapping) for group in groups)
    check(tables, f"{file}: runs must be a list of tables of settings")
    lists = {name: value if isinstance(value, list) else [value] for name, value in _dotted(axes).items()}
    for name, values in lists.items():
        if name.endswith("loss_times") and values and not isinstance(values[0], list):
            lists[name] = [values]
    return Grid(_dotted(base), tuple(_dotted(group) for group in groups), lists)


def parse_axis(text: str) -> tuple[str, list[Any]]:
    """`data.n=64,128` or `train.seed=0..4` or `data.n=32..1024*2` to a name and its values.

    `a..b` counts from a to b in ones, both included; `a..b*k` multiplies by k. Other values are read as JSON where they
    are JSON (numbers, true, null, lists) and as plain text otherwise.
    """
    name, equals, values = text.partition("=")
    name = name.strip()
    example = "for example data.n=64,128 or train.seed=0..4 or data.n=32..1024*2"
    check(bool(equals and name and values.strip()), f"--set needs NAME=VALUES, {example}; got {text!r}")
    _check_name(name)
    return name, [value for part in _split(values) for value in _expand(part.strip(), text, example)]


def _check_name(name: str) -> None:
    hint: Any = RunConfig
    for part in name.split("."):
        known = typing.get_type_hints(hint) if dataclasses.is_dataclass(hint) else {}
        if part not in known:
            raise GenwindowError(f"unknown setting {name}; see genwindow train --help")
        hint = known[part]
    check(not dataclasses.is_dataclass(hint), f"{name} is a group of settings; give one of them a value")


def _split(values: str) -> list[str]:
    """Split at commas that are not inside brackets."""
    return re.split(r",(?![^\[]*\])", values)


def _expand(part: str, text: str, example: str) -> list[Any]:
    found = re.fullmatch(r"(-?\d+)\.\.(-?\d+)(?:\*(\d+))?", part)
    if not found:
        check(part != "", f"--set has an empty value in {text!r}, {example}")
        try:
            return [json.loads(part)]
        except ValueError:
            return [part]
    low, high = int(found[1]), int(found[2])
    if found[3] is None:
        check(high - low < MOST, f"{part} has {high - low + 1:,} values; at most {MOST:,} are taken")
        values = list(range(low, high + 1))
    else:
        factor = int(found[3])
        check(
            factor >= 2 and low >= 1, f"{part}: a range that multiplies needs a start of 1 and a factor of 2 at least"
        )
        values = []
        while low <= high:
            values.append(low)
            low *= factor
    check(bool(values), f"{part} is an empty range; give the smaller end first")
    return list(values)


def _dotted(tree: Mapping[Any, Any], path: str = "") -> dict[str, Any]:
    """Nested tables to dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_dotted(value, f"{path}{key}."))
        else:
            flat[f"{path}{key}"] = value
    return flat


def _tree(settings: Settings) -> dict[str, Any]:
    """Dotted names to nested tables."""
    tree: dict[str, Any] = {}
    for name, value in settings.items():
        *path, last = name.split(".")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
            check(isinstance(place, dict), f"{name}: {part} is a setting, not a group of settings")
        check(not isinstance(place.get(last), dict), f"{name} is a group of settings; give one of them a value")
        place[last] = value
    return tree
