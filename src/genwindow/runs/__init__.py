"""One run: its settings, its folder, execute and resume. The only place where parts are wired together."""

from genwindow.files import to_json_text, write_atomically
from genwindow.runs.config import (
    DataSettings,
    DiffusionSettings,
    MeasureSettings,
    NetSettings,
    RunConfig,
    TrainSettings,
    differences,
    flat,
    plain,
    varying,
)
from genwindow.runs.draw import Samples, draw_samples
from genwindow.runs.enough import Enough
from genwindow.runs.execute import execute
from genwindow.runs.interrupt import Interrupted, stop_request
from genwindow.runs.lock import Busy
from genwindow.runs.pace import Pace, measure_pace
from genwindow.runs.result import Gallery, RunResult
from genwindow.runs.session import CHECKPOINT_SECONDS, Progress
from genwindow.runs.store import RunFolder
from genwindow.runs.together import company, execute_together
from genwindow.runs.watched import Watched, keep_watch, read_watched
from genwindow.runs.work import work

__all__ = [
    "CHECKPOINT_SECONDS",
    "Busy",
    "DataSettings",
    "DiffusionSettings",
    "Enough",
    "Gallery",
    "Interrupted",
    "MeasureSettings",
    "NetSettings",
    "Pace",
    "Progress",
    "RunConfig",
    "RunFolder",
    "RunResult",
    "Samples",
    "TrainSettings",
    "Watched",
    "company",
    "differences",
    "draw_samples",
    "execute",
    "execute_together",
    "measure_pace",
    "flat",
    "keep_watch",
    "plain",
    "read_watched",
    "varying",
    "stop_request",
    "to_json_text",
    "work",
    "write_atomically",
]
