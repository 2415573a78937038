"""Estimates from measured curves: the timescales by both estimators, and the last values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genwindow.analysis import tau_gen, tau_gen_from_loss, tau_mem, tau_mem_from_loss
from genwindow.curve import Curve, Estimate


def estimates_of(
    curves: Sequence[Curve], constants: dict[str, Estimate], *, eps: float = 0.01, estimate_t: float | None = None
) -> dict[str, Estimate]:
    """The timescales by both estimators, and the last values.

    Args:
        curves: measured curves.
        constants: `floor`, `frechet_noise`, and where known `frechet_floor`.
        eps: for tau_mem.
        estimate_t: diffusion time of the loss-based estimators.

    Returns:
        The constants, and `tau_gen`, `tau_mem`, `f_mem_final`, `frechet_best` where samples were measured,
        `tau_gen_loss`, `tau_mem_loss` where losses were; `tau_mem:NAME` for each variant and class.
    """
    found = dict(constants)
    by_key = {(c.name, c.t): c for c in curves}
    if "floor" in constants:
        empty = Curve("f_mem", np.empty(0), np.empty(0))
        f_mem, frechet = by_key.get(("f_mem", None), empty), by_key.get(("frechet", None), empty)
        found["tau_gen"] = tau_gen(frechet, constants["frechet_noise"])
        found["tau_mem"] = tau_mem(f_mem, constants["floor"], eps=eps)
        found["f_mem_final"] = _at(f_mem, -1, "last measurement")
        for name in (c.name for c in curves if c.name.startswith("f_mem:")):
            part = name.removeprefix("f_mem:")
            floor = constants.get(f"floor:{part}", constants["floor"])
            found[f"tau_mem:{part}"] = tau_mem(by_key[name, None], floor, eps=eps)
        for name in (c.name for c in curves if c.name.startswith("frechet:")):
            found[f"tau_gen:{name.removeprefix('frechet:')}"] = tau_gen(by_key[name, None], constants["frechet_noise"])
        found["frechet_best"] = _at(frechet, int(frechet.value.argmin()) if len(frechet) else -1, "best of the run")
    train, heldout = by_key.get(("train_loss", estimate_t)), by_key.get(("heldout_loss", estimate_t))
    if train is not None and heldout is not None:
        found["tau_gen_loss"] = tau_gen_from_loss(heldout)
        found["tau_mem_loss"] = tau_mem_from_loss(train, heldout)
    return found


def _at(curve: Curve, index: int, what: str) -> Estimate:
    if len(curve) == 0 or curve.low is None or curve.high is None:
        return Estimate(None, None, None, "ill_posed", "measured", f"no measurement of {curve.name}")
    text = f"{curve.name} at tau = {curve.tau[index]:g} ({what})"
    return Estimate(curve.value[index], curve.low[index], curve.high[index], "found", "measured", text)
