"""Work: how much of a run is done, counted in image passes through the network, for an honest estimate of time left.

A training step costs three passes per image (forward, and about twice that backward). Measuring costs one pass per
sample and sampler step, and the passes of the losses; early on, measuring times are close together and measuring is
most of the work.
"""

from __future__ import annotations

from genwindow.monitor import next_measuring_time
from genwindow.runs.config import RunConfig

DEFAULT_SAMPLER_STEPS = 1000  # every step of a discrete schedule


def work(config: RunConfig, step: int) -> float:
    """Image passes of the first `step` steps of a run, with what is measured up to there."""
    train, measure = config.train, config.measure
    batch = min(train.batch, config.data.n) if train.batch else config.data.n
    sampling = measure.samples * (measure.sampler_steps or DEFAULT_SAMPLER_STEPS)
    passes = [2 if name == "heun" else 1 for name in (measure.sampler, *measure.also_samplers)]
    sampling *= sum(passes) + 2 * passes[0] * len(measure.guidance)
    losses = 2 * measure.loss_images * measure.loss_draws * len(measure.loss_times)
    return 3 * batch * step + (sampling + losses) * _measurements(config, step)


def _measurements(config: RunConfig, step: int) -> int:
    count, last = 0, 0
    while (at := next_measuring_time(last, config.measure.first, config.measure.per_octave)) <= step:
        count, last = count + 1, at
    return count + (step >= config.train.steps and last != step)
