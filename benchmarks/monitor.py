"""What a monitor costs its host: a U-Net of base width 8 on 8 x 8 digits, batch 64, Adam, one thread.

Measured are a training step, a measuring time of the default settings (losses at three diffusion times, 256 samples by
20 steps of DDIM), and one at which the samples grew to the most allowed. They alternate, so that a drifting machine
speed touches all alike, and are counted in seconds of the processor. The share of a run of 10,000 steps is then added
up over the measuring times of the default schedule; the run itself is not made. Samples grow while the verdict hangs on
them, around the onset of copying; in trials with made-up copying that was at no more than one measuring time of a run,
and two are counted here, beside the two measuring times that a run may have beyond its schedule. Bars: 8 % of the
training time, and 20 microseconds a step for `update` between measuring times. Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import inspect
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from genwindow.data import named_set, split
from genwindow.diffusion import NetworkDenoiser, named_schedule, noise_error, sample, training_loss
from genwindow.diffusion.draws import keyed_generator
from genwindow.monitor import Monitor, next_measuring_time
from genwindow.monitor.monitor import BETWEEN, GROWTH
from genwindow.nets import UNet
from genwindow.train import build_optimizer

STEPS, ROUNDS, STEPS_A_ROUND, GROWN = 10_000, 5, 15, 2
DEFAULTS = {name: p.default for name, p in inspect.signature(Monitor).parameters.items()}


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> int:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    digits = named_set("digits")
    parts = split(digits, 256, seed=0)
    train, heldout = (torch.tensor(digits.pixels[part]) for part in (parts.train, parts.heldout))
    denoiser = NetworkDenoiser(UNet(1, 8), named_schedule("linear"))
    optimizer = build_optimizer(denoiser.parameters(), "adam", 1e-3)

    def steps() -> None:
        for step in range(STEPS_A_ROUND):
            generator = keyed_generator("step", step)
            x = train[torch.randint(len(train), (64,), generator=generator)]
            t, noise = denoiser.schedule.training_times(64, generator), torch.randn(x.shape, generator=generator)
            optimizer.zero_grad()
            training_loss(denoiser, x, t, noise).mean().backward()
            optimizer.step()

    def loss(x: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        return noise_error(denoiser, x, t, generator)

    def draw(count: int, generator: torch.Generator) -> Tensor:
        return sample(denoiser, (count, 1, 8, 8), generator, steps=20)

    def monitor(samples: int) -> Monitor:
        return Monitor(
            train, heldout, loss=loss, sample=draw, times=(10, 50, 200), modules=[denoiser],
            samples=samples, most_samples=samples,
        )  # fmt: skip

    usual, grown = monitor(DEFAULTS["samples"]), monitor(GROWTH * DEFAULTS["samples"])
    kinds = {"step": steps, "usual": lambda: usual.measure(1), "grown": lambda: grown.measure(1)}
    for work in kinds.values():
        work()  # warm up
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, work in kinds.items():
            times[name].append(seconds(work))
    step, at_usual, at_grown = (statistics.median(times[name]) for name in kinds)
    step /= STEPS_A_ROUND
    schedule = DEFAULTS["first"], DEFAULTS["per_octave"]
    count, at = 0, next_measuring_time(0, *schedule)
    while at <= STEPS:
        count, at = count + 1, next_measuring_time(at, *schedule)
    share = ((count + BETWEEN - GROWN) * at_usual + GROWN * at_grown) / (STEPS * step)
    between = seconds(lambda: [usual.update(1) for _ in range(100_000)]) / 100_000
    print(f"training step {1e3 * step:.1f} ms (median of {ROUNDS} times {STEPS_A_ROUND})")
    print(
        f"measuring time {at_usual:.2f} s = {at_usual / step:.0f} steps, grown {at_grown:.2f} s = {at_grown / step:.0f}"
    )
    print(
        f"{count} measuring times in {STEPS:,} steps and {BETWEEN} between them, {GROWN} of all grown: {share:.1%} of "
        "training time (bar 8 %)"
    )
    print(f"update between measuring times {1e6 * between:.2f} microseconds (bar 20)")
    return 0 if share < 0.08 and between < 20e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
