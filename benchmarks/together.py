"""Eight models trained together against the same eight one after another, one thread each way.

The models of the bar are those of the paper's mixture experiments: d = 8, width 128, 3 blocks, Adam, batch 64, here
with n from 64 to 512 and two seeds. Stretches of both ways alternate, so that a drifting machine speed touches both
alike, and the time is that of the process, so that other processes do not count. The bar is a median ratio of at least
2 and weights that agree to 1e-4 in the end. It is taken with the BLAS that NumPy chooses for the processor: where
`OPENBLAS_CORETYPE` pins another one, that is measured too, without a bar. Further lines, without a bar, show what the
matrix products alone take, which training together cannot save; how the gain depends on width, batch and number of
models; what `torch.func.vmap` over the ordinary network would give in place of the written-out passes, and what it
would give for the U-Net, which sweeps train one by one. Exit code 1 when the bar is missed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from genwindow.nets import StackedMLP
from genwindow.runs import DataSettings, NetSettings, RunConfig, TrainSettings
from genwindow.runs.build import build_denoiser
from genwindow.runs.data import build_data
from genwindow.train import EMA, Member, build_optimizer, steps_together, train_steps

PIN = "OPENBLAS_CORETYPE"
STRETCHES = 12
RATE = 1e-3


def mixture(width: int = 128, batch: int = 64) -> list[RunConfig]:
    train = TrainSettings(batch=batch)
    sizes = (64, 128, 256, 512) if batch <= 64 else (512,) * 4
    return [
        RunConfig(
            DataSettings("mixture", n), net=NetSettings("mlp", width, 3), train=TrainSettings(batch=batch, seed=seed)
        )
        for n in sizes
        for seed in (train.seed, train.seed + 1)
    ]


def digits(batch: int) -> list[RunConfig]:
    return [
        RunConfig(DataSettings("digits", 512), net=NetSettings("mlp", 256, 3), train=TrainSettings(batch=batch, seed=s))
        for s in range(8)
    ]


def members(configs: Sequence[RunConfig]) -> list[Member]:
    made = []
    for config in configs:
        images = build_data(config.data).train
        denoiser = build_denoiser(config, tuple(images.shape[1:]))
        optimizer = build_optimizer(denoiser.parameters(), config.train.optimizer, RATE)
        made.append(Member(denoiser, images, optimizer, EMA(denoiser, config.train.ema), config.train.seed))
    return made


def ratios(one: Callable[[], object], other: Callable[[], object], stretches: int) -> tuple[list[float], float, float]:
    """How many times longer `other` takes than `one`, pair by pair; and the median seconds of both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(stretches + 1):  # the first pair warms up
        for way, spent in zip((one, other), times, strict=True):
            began = time.process_time()
            way()
            spent.append(time.process_time() - began)
    pairs = [b / a for a, b in zip(times[0][1:], times[1][1:], strict=True)]
    return pairs, statistics.median(times[0][1:]), statistics.median(times[1][1:])


def compare(name: str, configs: Sequence[RunConfig], *, steps: int = 40, stretches: int = 6) -> tuple[float, float]:
    """Print and return the median ratio, and by how much the weights differ in the end, relative to their norm."""
    ours, single = members(configs), members(configs)
    batch, most = configs[0].train.batch, steps * (stretches + 1)
    together = steps_together(
        ours, lambda weights: build_optimizer(weights, "adam", RATE), start=0, steps=most, batch=batch
    )
    loops = [
        train_steps(m.denoiser, m.images, m.optimizer, steps=most, batch=batch, seed=m.seed, ema=m.ema) for m in single
    ]
    pairs, a, b = ratios(
        lambda: [next(together) for _ in range(steps)],
        lambda: [[next(loop) for _ in range(steps)] for loop in loops],
        stretches,
    )
    gaps = [float((flat(x) - flat(y)).norm() / flat(y).norm()) for x, y in zip(ours, single, strict=True)]
    each = 1e6 / steps / len(configs)
    print(
        f"{name:42} {each * a:7.0f} us a step and model together, {each * b:7.0f} one by one: "
        f"{statistics.median(pairs):.2f} times ({min(pairs):.2f} to {max(pairs):.2f})"
    )
    return statistics.median(pairs), max(gaps)


def products(width: int, batch: int, count: int = 8, blocks: int = 3) -> None:
    """Time of the products of one step that are as wide as the network: forward, and two derivatives."""
    h, weight = torch.randn(count, batch, width).numpy(), torch.randn(count, width, width).numpy()
    out, gradient = np.empty_like(h), np.empty_like(weight)

    def step() -> None:
        for _ in range(2 * blocks):
            np.matmul(h, weight.transpose(0, 2, 1), out=out)
            np.matmul(h, weight, out=out)
            np.matmul(out.transpose(0, 2, 1), h, out=gradient)

    _, seconds, _ = ratios(lambda: [step() for _ in range(40)], lambda: None, 6)
    each = seconds / 40 / count
    done = 2 * blocks * 3 * 2 * batch * width**2 / each
    print(f"  of it the products {1e6 * each:29.0f} us a step and model, {done / 1e9:.0f} GFLOP/s")


def flat(member: Member) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in member.denoiser.parameters()])


def passes(name: str, networks: Sequence[nn.Module], shape: tuple[int, ...], batch: int, *, written: bool) -> None:
    """Forward and backward of eight networks: by vmap against one by one, or against the written-out passes."""
    count = len(networks)
    x, t = torch.randn(count, batch, *shape), 1000 * torch.rand(count, batch)
    weights, _ = stack_module_state(list(networks))
    forward = vmap(lambda own, x, t: functional_call(networks[0], own, (x, t)))

    def by_vmap() -> None:
        for weight in weights.values():
            weight.grad = None
        forward(weights, x, t).square().mean().backward()

    def one_by_one() -> None:
        for network, images, times in zip(networks, x, t, strict=True):
            network.zero_grad(set_to_none=True)
            network(images, times).square().mean().backward()

    stack = StackedMLP(networks) if written else None  # type: ignore[arg-type]

    def by_hand() -> None:
        assert stack is not None
        stack(x.flatten(0, 1), t.flatten()).square().mean().backward()

    pairs, _, _ = ratios(by_hand if written else by_vmap, by_vmap if written else one_by_one, 5)
    print(f"{name} {statistics.median(pairs):.2f} times ({min(pairs):.2f} to {max(pairs):.2f})")


def networks_of(config: RunConfig, shape: tuple[int, ...], count: int = 8) -> list[nn.Module]:
    return [build_denoiser(config, shape).network for _ in range(count)]


def bar() -> int:
    """The comparison with a bar; 0 when it is met."""
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    torch.manual_seed(0)
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    kinds = {library.get("architecture", library["internal_api"]) for library in found}
    print(f"NumPy's BLAS is for {' and '.join(sorted(kinds)) or 'an unknown processor'}")
    ratio, gap = compare("eight mixture models, width 128, batch 64", mixture(), stretches=STRETCHES)
    print(f"  weights differ by {gap:.1e} at most")
    products(128, 64)
    return 0 if ratio >= 2 and gap <= 1e-4 else 1


def further() -> None:
    """The lines without a bar."""
    for count in (2, 4):
        compare(f"  {count} of them", mixture()[:count], steps=20)
    compare("  16 of them", mixture() + mixture(), steps=10)
    for width, batch in ((32, 64), (64, 64), (256, 64), (128, 16), (128, 256)):
        compare(f"  width {width}, batch {batch}", mixture(width, batch), steps=10)
    for batch in (64, 512):
        compare(f"digits, width 256, batch {batch}", digits(batch), steps=5, stretches=4)
    mlp, unet = RunConfig(net=NetSettings("mlp", 128, 3)), RunConfig(net=NetSettings("unet", 8))
    passes("written-out passes against vmap, width 128, batch 64:", networks_of(mlp, (8,)), (8,), 64, written=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has no batched attention on the CPU, and says so
        for batch in (16, 64):
            name = f"vmap against one by one, U-Net of base 8 on 8x8 digits, batch {batch}:"
            passes(name, networks_of(unet, (1, 8, 8), 4), (1, 8, 8), batch, written=False)


def main() -> int:
    pinned = os.environ.get(PIN)
    if pinned is None:
        missed = bar()
        print(f"bar 2 {'missed' if missed else 'met'}")
        further()
        return missed
    print(f"With {PIN}={pinned}, no bar:", flush=True)
    bar()
    further()
    print(f"Without {PIN}:", flush=True)
    own = {name: value for name, value in os.environ.items() if name != PIN}
    return subprocess.run([sys.executable, __file__], env=own, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
