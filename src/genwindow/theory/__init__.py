"""The theory of the window: spectrum, timescales and exact learning curves of the random-features score model.

NumPy and SciPy only.
"""

from genwindow.theory.activations import ACTIVATIONS, activation_name
from genwindow.theory.covariance import Covariance
from genwindow.theory.dynamics import Dynamics, GradientDescent, GradientFlow
from genwindow.theory.equivalent import GaussianEquivalent
from genwindow.theory.finite import FiniteModel, SecondMoments
from genwindow.theory.learning_curves import LearningCurves, Stopping, as_curves, lowest_loss
from genwindow.theory.model import Atom, RandomFeatures, RelaxationTimes, Timescales
from genwindow.theory.moments import Moments, moments
from genwindow.theory.phase import PhasePlane, phase_plane
from genwindow.theory.spectrum import Bulk

__all__ = [
    "ACTIVATIONS",
    "Atom",
    "Bulk",
    "Covariance",
    "Dynamics",
    "FiniteModel",
    "GaussianEquivalent",
    "GradientDescent",
    "GradientFlow",
    "LearningCurves",
    "Moments",
    "PhasePlane",
    "RandomFeatures",
    "RelaxationTimes",
    "SecondMoments",
    "Stopping",
    "Timescales",
    "activation_name",
    "as_curves",
    "lowest_loss",
    "moments",
    "phase_plane",
]
