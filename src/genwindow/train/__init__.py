"""Training as a generator of step records, with exact resuming."""

from genwindow.train.crew import Crew, join_crew
from genwindow.train.device import resolve_device
from genwindow.train.ema import EMA
from genwindow.train.loop import Diverged, StepRecord, batch_indices, train_steps
from genwindow.train.optimizer import build_optimizer
from genwindow.train.state import load_state, save_state

__all__ = [
    "Crew",
    "join_crew",
    "EMA",
    "Diverged",
    "StepRecord",
    "batch_indices",
    "build_optimizer",
    "load_state",
    "resolve_device",
    "save_state",
    "train_steps",
]
