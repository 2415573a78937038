"""Work: how much of a run is done, counted in image passes through the network, for an honest estimate of time left.

A training step costs three passes per image (forward, and about twice that backward). Measuring costs one pass per
sample and sampler step, and the passes of the losses; early on, measuring times are close together and measuring is
most of the work.
"""

from __future__ import annotations

from genwindow.diffusion import named_schedule
from genwindow.diffusion.samplers import default_steps
from genwindow.monitor import next_measuring_time
from genwindow.runs.config import RunConfig


def work(config: RunConfig, step: int) -> float:
    """Image passes of the first `step` steps of a run, with what is measured up to there."""
    return 3 * config.batch_size * step + measuring_passes(config) * measuring_times(config, step)


def measuring_passes(config: RunConfig) -> float:
    """Image passes of one measuring time."""
    measure = config.measure
    steps = measure.sampler_steps or default_steps(named_schedule(config.diffusion.schedule))
    sampling = measure.samples * steps
    passes = [2 if name == "heun" else 1 for name in (measure.sampler, *measure.also_samplers)]
    sampling *= sum(passes) + 2 * passes[0] * len(measure.guidance)
    return sampling + 2 * measure.loss_images * measure.loss_draws * len(measure.loss_times)


def measuring_times(config: RunConfig, step: int) -> int:
    """How often a run is measured up to `step`."""
    count, last = 0, 0
    while (at := next_measuring_time(last, config.measure.first, config.measure.per_octave)) <= step:
        count, last = count + 1, at
    return count + (step >= config.train.steps and last != step)
