"""What a run will cost before it is begun: operations, memory, and hours on a graphics card."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from genwindow.data.points import LAWS
from genwindow.nets import count_parameters
from genwindow.runs import RunConfig, work
from genwindow.runs.build import build_network

SUSTAINED = 20e12
"""Operations per second that a large graphics card sustains on small 32-bit networks; a round figure, for orders of
magnitude."""


@dataclass(frozen=True)
class Cost:
    """An estimate.

    Attributes:
        parameters: trained numbers.
        memory: bytes for weights, gradients, optimizer, moving average, and one batch of activations.
        operations: floating-point operations of training and measuring.
    """

    parameters: int
    memory: float
    operations: float

    @property
    def hours(self) -> float:
        """On a card that sustains `SUSTAINED`."""
        return self.operations / SUSTAINED / 3600


def estimate_cost(config: RunConfig, channels: int = 1, side: int = 8) -> Cost:
    """Cost of one run.

    Args:
        config: its settings.
        channels: of an image, where the settings leave it open.
        side: of an image in pixels, where the settings leave it open.
    """
    points = config.data.source in LAWS
    shape = (config.data.dimension,) if points else (channels, config.data.size or side, config.data.size or side)
    network = build_network(config.net, shape, 0).eval()
    kept = 0

    def keep(_module: torch.nn.Module, _inputs: object, output: object) -> None:
        nonlocal kept
        kept += output.numel() * 4 if isinstance(output, torch.Tensor) else 0

    hooks = [m.register_forward_hook(keep) for m in network.modules() if not list(m.children())]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *shape), torch.zeros(1))
    for hook in hooks:
        hook.remove()
    parameters = count_parameters(network)
    copies = 2 + (2 if config.train.optimizer == "adam" else 1) + (1 if config.train.ema else 0)
    memory = 4.0 * parameters * copies + kept * config.batch_size
    return Cost(parameters, memory, counter.get_total_flops() * work(config, config.train.steps))
