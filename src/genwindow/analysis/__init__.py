"""Questions asked of curves: when did something set in, how does it scale. NumPy and SciPy only."""

from genwindow.analysis.intervals import binomial_estimate, binomial_interval
from genwindow.analysis.onset import first_above, onset, tau_gen, tau_gen_from_loss, tau_mem, tau_mem_from_loss
from genwindow.analysis.plane import Boundary, BoundaryPoint, Cell, Plane, measured_plane
from genwindow.analysis.scaling import Collapse, PowerLaw, collapse, fit_power_law

__all__ = [
    "Boundary",
    "BoundaryPoint",
    "Cell",
    "Collapse",
    "Plane",
    "PowerLaw",
    "binomial_estimate",
    "binomial_interval",
    "collapse",
    "first_above",
    "fit_power_law",
    "measured_plane",
    "onset",
    "tau_gen",
    "tau_gen_from_loss",
    "tau_mem",
    "tau_mem_from_loss",
]
