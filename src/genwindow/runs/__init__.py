"""One run: its settings, its folder, execute and resume. The only place where parts are wired together."""

from genwindow.runs.config import (
    DataSettings,
    DiffusionSettings,
    MeasureSettings,
    NetSettings,
    RunConfig,
    TrainSettings,
    differences,
)
from genwindow.runs.execute import Progress, execute
from genwindow.runs.interrupt import Interrupted
from genwindow.runs.result import Gallery, RunResult
from genwindow.runs.store import RunFolder, to_json_text, write_atomically
from genwindow.runs.work import work

__all__ = [
    "DataSettings",
    "DiffusionSettings",
    "Gallery",
    "Interrupted",
    "MeasureSettings",
    "NetSettings",
    "Progress",
    "RunConfig",
    "RunFolder",
    "RunResult",
    "TrainSettings",
    "differences",
    "execute",
    "to_json_text",
    "work",
    "write_atomically",
]
