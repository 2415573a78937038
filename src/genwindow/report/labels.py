"""Labels: what a run is called beside others, by its n and whatever else tells it apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from genwindow.runs.config import varying
from genwindow.runs.result import RunResult

SHORT = {"net.width": "W", "data.dimension": "d", "train.seed": "seed", "data.seed": "division", "train.lr": "lr"}
"""How a label calls a setting; others by the last part of their name, a word such as `adam` by itself."""


def labels(runs: Sequence[RunResult]) -> tuple[str, ...]:
    """A name for each run: `n = 64`, with what else differs where several runs share one n: `n = 64, W = 8`.

    A setting that follows from n and those before it, as the learning rate may from the optimizer, is left out. Where
    more than four are left, or none is, the folder or the position tells runs apart.
    """
    counts = Counter(run.n for run in runs)
    if max(counts.values(), default=0) == 1:
        return tuple(f"n = {r.n}" for r in runs)
    columns: Mapping[str, Sequence[str]] = varying([r.config for r in runs])
    columns = _telling({k: v for k, v in columns.items() if k not in ("data.n", "train.steps")}, [r.n for r in runs])
    if 1 <= len(columns) <= 4:
        names = [f"n = {r.n}, {_said(columns, i)}" for i, r in enumerate(runs)]
    else:
        names = [f"n = {r.n}" if counts[r.n] == 1 else f"n = {r.n} ({r.folder.name})" for r in runs]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    return tuple(f"{name} #{i}" if name in repeated else name for i, name in enumerate(names, start=1))


def _telling(columns: Mapping[str, Sequence[str]], sizes: Sequence[int]) -> dict[str, Sequence[str]]:
    """The columns that tell runs of one size apart where n and earlier ones do not; measuring and device come last."""
    kept: dict[str, Sequence[str]] = {}
    told: list[tuple[object, ...]] = [(n,) for n in sizes]
    late = ("measure.", "device")
    for name in sorted(columns, key=lambda k: (k.startswith(late), k.endswith(".seed"), k == "data.seed")):
        further = [(*key, value) for key, value in zip(told, columns[name], strict=True)]
        if len(set(further)) > len(set(told)):
            kept[name], told = columns[name], further
    return kept


def _said(columns: Mapping[str, Sequence[str]], i: int) -> str:
    parts = []
    for name, values in columns.items():
        word = name in ("train.batch",) and values[i] == "0"
        value = "full batch" if word else source_name(values[i]) if name == "data.source" else values[i]
        if name == "data.class_weights":
            shares = value.split()
            value = "equal classes" if len(set(shares)) == 1 else f"classes {' : '.join(shares)}"
        bare = word or not value.replace(".", "").replace("e-", "").isdigit()
        parts.append(value if bare else f"{SHORT.get(name, name.rpartition('.')[2])} = {value}")
    return ", ".join(parts)


def figure_labels(runs: Sequence[RunResult], longest: int = 24) -> tuple[str, ...]:
    """`labels` cut to what fits beside an axis, numbered where they would coincide; the text has the full names."""
    names = labels(runs)
    cut = [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in names]
    same = {name for name, count in Counter(cut).items() if count > 1}
    return tuple(f"{name[: longest - 4]}… #{i}" if name in same else name for i, name in enumerate(cut, start=1))


def source_name(source: str) -> str:
    """The name of a data set, or the last part of a path."""
    return PurePath(source.replace("\\", "/")).name or source
