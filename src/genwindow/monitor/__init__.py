"""Measuring along training, as a guest in anybody's loop, with a verdict on where in its window the run is."""

from genwindow.monitor.estimates import estimates_of
from genwindow.monitor.guest import as_guest, swapped
from genwindow.monitor.loggers import Logger, MLflowLogger, TensorBoardLogger, WandbLogger
from genwindow.monitor.monitor import Monitor
from genwindow.monitor.record import Best, Measurement, Point, Slice, curves_of
from genwindow.monitor.times import next_measuring_time
from genwindow.monitor.verdict import Verdict, calibrated_split

__all__ = [
    "Best",
    "Logger",
    "MLflowLogger",
    "Measurement",
    "Monitor",
    "Point",
    "Slice",
    "TensorBoardLogger",
    "Verdict",
    "WandbLogger",
    "as_guest",
    "calibrated_split",
    "curves_of",
    "estimates_of",
    "next_measuring_time",
    "swapped",
]
