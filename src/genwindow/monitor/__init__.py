"""Measuring along training, as a guest in anybody's loop."""

from genwindow.monitor.monitor import Measurement, Monitor, Point, Slice, curves_of, estimates_of
from genwindow.monitor.times import next_measuring_time

__all__ = ["Measurement", "Monitor", "Point", "Slice", "curves_of", "estimates_of", "next_measuring_time"]
