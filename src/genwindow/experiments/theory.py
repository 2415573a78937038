"""What `genwindow theory` computes: for each question a table of numbers, a few sentences, and a figure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genwindow.curve import Estimate, short
from genwindow.errors import check, check_integer
from genwindow.theory import (
    GaussianEquivalent,
    GradientDescent,
    GradientFlow,
    LearningCurves,
    RandomFeatures,
)

Rows = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Answer:
    """An answer in every form it can be printed.

    Attributes:
        text: for people.
        data: plain JSON.
        rows: the same numbers as rows of a table, all with the same keys.
        draw: writes the figure to a PNG file.
    """

    text: str
    data: dict[str, Any]
    rows: Rows
    draw: Callable[[Path], None]

    def csv(self) -> str:
        """The rows as CSV with a header; what is not known is empty."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return buffer.getvalue()


def _named(model: RandomFeatures) -> dict[str, Any]:
    from genwindow.theory import activation_name

    found = model.moments
    return {
        "psi_p": model.psi_p, "psi_n": model.psi_n, "t": model.t, "activation": activation_name(model.activation),
        "covariance": model.covariance.text, "a": found.a, "b": found.b, "v2": found.v2, "s2": found.s2,
        "moments_error": found.error,
    }  # fmt: skip


def _roles(model: RandomFeatures) -> list[str]:
    """Names of the bulks where there are the three of white data: d directions fast, n - d in the middle, d slow."""
    shares = [mass * model.psi_p for mass in model.bulk_masses()]
    if len(shares) == 3 and np.allclose(shares, [1, model.psi_n - 1, 1], atol=1e-4):
        return ["slow", "middle", "fast"]
    return ["" for _ in shares]


def spectrum(model: RandomFeatures, *, d: int = 100, seed: int = 0) -> Answer:
    """Bulks, atom, relaxation times; the figure adds the eigenvalues of a sampled matrix of dimension d."""
    check_integer("d", d, low=2, high=1000)
    check_integer("seed", seed, low=0)
    unit = model.psi_p / (2 * model.delta)
    rows: Rows = []
    for bulk, role in zip(model.bulks, _roles(model), strict=True):
        rows.append({
            "low": bulk.low, "high": bulk.high, "mass": bulk.mass, "directions_per_d": bulk.mass * model.psi_p,
            "slowest_tau": unit / bulk.low, "fastest_tau": unit / bulk.high, "role": role,
        })  # fmt: skip
    total = model.atom.mass + sum(model.bulk_masses())
    lines = [_headline(model), "", "bulk              eigenvalues          directions/d   learned at tau"]
    for row in rows:
        ends = f"{short(row['low'])} to {short(row['high'])}"
        times = f"{short(row['fastest_tau'])} to {short(row['slowest_tau'])}"
        lines.append(f"{row['role'] or '-':<17} {ends:<20} {row['directions_per_d']:<14.4g} {times}")
    if model.atom.mass:
        lines.append(f"{'never seen':<17} {short(model.atom.location):<20} {model.atom.mass * model.psi_p:<14.4g} -")
    lines.append(f"\ntotal mass {total:.9f}")

    def draw(path: Path) -> None:
        from genwindow.report import png, spectrum_figure

        size = max(2, min(d, int(6e7 / max(model.psi_p, 1) / (1 + model.psi_n) / max(d, 1))))
        sample = GaussianEquivalent.draw(model, size, np.random.default_rng(seed))
        p = len(sample.weights)
        png(spectrum_figure(model, sample.eigenvalues(), p), path)

    return Answer(
        "\n".join(lines),
        {**_named(model), "bulks": rows, "atom": model.atom._asdict(), "total_mass": total},
        _density_rows(model),
        draw,
    )


def bulks(model: RandomFeatures, *, d: int = 100, seed: int = 0, points: int = 60) -> Answer:
    """What each bulk does to the losses: curves of one finite draw with the slower bulks left untrained."""
    check_integer("d", d, low=2, high=400)
    check_integer("seed", seed, low=0)
    support = model.support()
    times = model.natural_times()
    sample = GaussianEquivalent.draw(model, d, np.random.default_rng(seed))
    tau = np.geomspace(times[0], times[-1], points)
    cuts = [0.0, *(math.sqrt(a[1] * b[0]) for a, b in zip(support[:-1], support[1:], strict=True))][::-1]
    found = [sample.learning_curves(tau, lowest=cut) for cut in cuts]
    roles = [role or f"bulk {i + 1}" for i, role in enumerate(_roles(model))][::-1]
    names = [roles[0], *(f"+ {role}" for role in roles[1:])]
    rows: Rows = [
        {"trained": " ".join(names[: i + 1]), "tau": t, "train": a, "test": b}
        for i, c in enumerate(found)
        for t, a, b in zip(c.test.tau, c.train.value, c.test.value, strict=True)
    ]
    lines = [f"{_headline(model)}; one draw at d = {d}", ""]
    lam, overlaps = sample.eigenvalues(), sample.overlaps()
    marks = [math.inf, *cuts]
    shares = [
        float(overlaps[(lam >= low) & (lam < high)].sum()) for high, low in zip(marks[:-1], marks[1:], strict=True)
    ]
    lines.append("bulks trained     its overlap   lowest test loss   test at the end   train at the end")
    for name, share, c in zip(names, shares, found, strict=True):
        ends = f"{c.test.value[-1]:<17.5f} {c.train.value[-1]:.5f}"
        lines.append(f"{name:<17} {share:<13.5f} {c.test.value.min():<18.5f} {ends}")
    lines.append("\noverlap: what the modes of a bulk share with the noise to be predicted, |Q^T V|^2/d")

    def draw(path: Path) -> None:
        from genwindow.report import bulks_figure, png

        png(bulks_figure(list(zip(names, found, strict=True)), model), path)

    each = [
        {"trained": name, "overlap": share, "curves": [c.train.to_json(), c.test.to_json()]}
        for name, share, c in zip(names, shares, found, strict=True)
    ]
    return Answer("\n".join(lines), {**_named(model), "d": d, "seed": seed, "bulks": each}, rows, draw)


def _density_rows(model: RandomFeatures, points: int = 200) -> Rows:
    rows: Rows = []
    for i, (low, high) in enumerate(model.support()):
        lam = (low + high) / 2 - (high - low) / 2 * np.cos(np.linspace(0, np.pi, points))
        rows += [{"bulk": i, "lambda": x, "density": y} for x, y in zip(lam, model.density(lam), strict=True)]
    return rows


def _headline(model: RandomFeatures) -> str:
    named = _named(model)
    shape = f"psi_p = {model.psi_p:g}, psi_n = {model.psi_n:g}, t = {model.t:g}, {named['activation']}"
    return f"{shape}, covariance {named['covariance']}"


def _several(model: RandomFeatures, psi_n: Sequence[float]) -> list[RandomFeatures]:
    check(len(psi_n) > 0, "psi_n must name at least one value")
    return [model.with_sizes(n, model.psi_p) for n in psi_n]


def curves(
    model: RandomFeatures,
    psi_n: Sequence[float],
    *,
    tau: tuple[float, float] | None = None,
    points: int = 200,
    step: float | None = None,
    momentum: float = 0.0,
    ridge: float = 0.0,
) -> Answer:
    """Learning curves for several psi_n."""
    check_integer("points", points, low=2)
    dynamics = GradientFlow(ridge) if step is None else GradientDescent(step, momentum, ridge)
    check(step is not None or momentum == 0, "momentum needs steps of finite size: give --step too")
    models = _several(model, psi_n)
    if tau is None:
        every = [m.natural_times() for m in models]
        tau = (min(float(t[0]) for t in every), max(float(t[-1]) for t in every))
    check(0 < tau[0] < tau[1], f"tau must run from a positive to a larger time, got {tau}")
    times = np.geomspace(*tau, points)
    found = [(m, m.learning_curves(times, dynamics=dynamics)) for m in models]
    rows: Rows = []
    lines = [_headline(model).replace(f", psi_n = {model.psi_n:g}", ""), ""]
    lines.append("psi_n     lowest test loss   at tau     then train   test at the end   train at the end")
    for m, c in found:
        i = int(c.test.value.argmin())
        lines.append(
            f"{m.psi_n:<9g} {c.test.value[i]:<18.6f} {short(c.test.tau[i]):<10} {c.train.value[i]:<12.6f} "
            f"{c.test.value[-1]:<17.6f} {c.train.value[-1]:.6f}"
        )
        columns = [c.test.tau, c.train.value, c.test.value]
        columns.append(np.full(len(c.test), np.nan) if c.score_error is None else c.score_error.value)
        rows += [
            {"psi_n": m.psi_n, "tau": a, "train": b, "test": e, "score_error": f}
            for a, b, e, f in zip(*columns, strict=True)
        ]
    worst = max(c.error for _, c in found)
    lines.append(f"\nlowest of {len(times)} times; `genwindow theory timescales` looks between them")
    lines.append(f"loss of the true score {found[0][1].floor:.6f}; quadrature error below {worst:.0e}")

    def draw(path: Path) -> None:
        from genwindow.report import curves_figure, png

        png(curves_figure(found), path)

    data = {**_named(model), "curves": [_curves_json(m, c) for m, c in found], "error": worst}
    del data["psi_n"]
    return Answer("\n".join(lines), data, rows, draw)


def _curves_json(model: RandomFeatures, found: LearningCurves) -> dict[str, Any]:
    each = [c.to_json() for c in (found.train, found.test, found.score_error) if c is not None]
    return {"psi_n": model.psi_n, "floor": found.floor, "curves": each}


def timescales(model: RandomFeatures, psi_n: Sequence[float], *, split: float = 0.1, ridge: float = 0.0) -> Answer:
    """tau_gen, tau_mem and the best stopping time for several psi_n, with their local slopes."""
    rows: Rows = []
    data: list[dict[str, Any]] = []
    lines = [_headline(model).replace(f", psi_n = {model.psi_n:g}", ""), ""]
    lines.append("psi_n     tau_gen   tau_mem   best stop   test loss there   at the end")
    for m in _several(model, psi_n):
        found, stop = m.timescales(split=split, ridge=ridge), m.optimal_stopping(ridge=ridge)
        times = {"tau_gen": found.tau_gen, "tau_mem": found.tau_mem, "best_stop": stop.tau}
        shown = [_plain(e) for e in times.values()]
        lines.append(f"{m.psi_n:<9g} {shown[0]:<9} {shown[1]:<9} {shown[2]:<11} {stop.test:<17.6f} {stop.final:.6f}")
        values = {name: e.value for name, e in times.items()}
        status = {f"{name}_status": e.status for name, e in times.items()}
        rows.append({"psi_n": m.psi_n, **values, **status, "test": stop.test, "final": stop.final})
        bulks = [b._asdict() for b in found.bulks]
        data.append({"psi_n": m.psi_n, "bulks": bulks, **{k: e.to_json() for k, e in times.items()},
                     "test": stop.test, "final": stop.final, "floor": stop.floor})  # fmt: skip
    slopes = _slopes(rows)
    if slopes:
        lines.append(f"\nlocal slopes of log tau_mem against log psi_n: {', '.join(f'{s:.2f}' for s in slopes)}")

    def draw(path: Path) -> None:
        from genwindow.report import png, theory_times_figure

        named = [("tau_gen", "tau_gen"), ("best stop", "best_stop"), ("tau_mem", "tau_mem")]
        each = [(label, [row[key] for row in rows]) for label, key in named]
        png(theory_times_figure([row["psi_n"] for row in rows], each, f"ψ_p = {model.psi_p:g}, t = {model.t:g}"), path)

    named = {**_named(model), "timescales": data, "local_slopes": slopes}
    del named["psi_n"]
    return Answer("\n".join(lines), named, rows, draw)


def _plain(estimate: Estimate) -> str:
    if estimate.value is not None:
        return short(estimate.value)
    return {"not_reached": "never", "below_range": "at once"}.get(estimate.status, "-")


def _slopes(rows: Rows) -> list[float]:
    known = [(row["psi_n"], row["tau_mem"]) for row in rows if row["tau_mem"] is not None]
    return [
        math.log(b[1] / a[1]) / math.log(b[0] / a[0])
        for a, b in zip(known[:-1], known[1:], strict=True)
        if b[0] != a[0]
    ]


def phase(
    model: RandomFeatures,
    psi_n: Sequence[float],
    psi_p: Sequence[float],
    tau: float,
    *,
    level: float = 0.1,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Answer:
    """The (psi_n, psi_p) plane at one training time."""
    from genwindow.theory import phase_plane

    plane = phase_plane(model, psi_n, psi_p, tau, level=level, on_progress=on_progress)
    rows: Rows = [
        {"psi_p": p, "psi_n": n, "tau": None if math.isinf(tau) else tau, "gap": gap, "excess": excess}
        for p, gaps, excesses in zip(plane.psi_p, plane.gap, plane.excess, strict=True)
        for n, gap, excess in zip(plane.psi_n, gaps, excesses, strict=True)
    ]
    when = "tau = inf" if math.isinf(tau) else f"tau = {short(tau)}"
    head = f"t = {model.t:g}, {_named(model)['activation']}, covariance {model.covariance.text}, {when}"
    lines = [head, "", f"psi_p     memorizes (test - training loss > {level:g}) for psi_n"]
    words = {"below_range": "nowhere on this grid", "not_reached": "everywhere on this grid"}
    for p, edge in zip(plane.psi_p, plane.boundary, strict=True):
        lines.append(f"{short(p):<9} {words.get(edge.status) or f'up to {short(edge.value)}'}")

    def draw(path: Path) -> None:
        from genwindow.report import phase_figure, png

        png(phase_figure(plane), path)

    data = {
        "t": model.t, "tau": None if math.isinf(tau) else tau, "level": level, "psi_n": plane.psi_n.tolist(),
        "psi_p": plane.psi_p.tolist(), "gap": plane.gap.tolist(), "excess": plane.excess.tolist(),
        "boundary": [{"psi_p": float(p), **e.to_json()} for p, e in zip(plane.psi_p, plane.boundary, strict=True)],
    }  # fmt: skip
    return Answer("\n".join(lines), data, rows, draw)
