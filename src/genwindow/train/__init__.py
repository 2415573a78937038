"""Training as a generator of step records, with exact resuming."""

from genwindow.train.batch import Batch, batch_indices, batch_size, draw_batch
from genwindow.train.crew import Crew, join_crew
from genwindow.train.device import resolve_device
from genwindow.train.ema import EMA
from genwindow.train.loop import ALONE, Diverged, StepRecord, train_steps
from genwindow.train.optimizer import build_optimizer
from genwindow.train.state import load_state, save_state
from genwindow.train.together import Member, SomeDiverged, steps_together

__all__ = [
    "ALONE",
    "Batch",
    "Crew",
    "join_crew",
    "EMA",
    "Diverged",
    "Member",
    "SomeDiverged",
    "StepRecord",
    "batch_indices",
    "batch_size",
    "build_optimizer",
    "draw_batch",
    "load_state",
    "resolve_device",
    "save_state",
    "steps_together",
    "train_steps",
]
