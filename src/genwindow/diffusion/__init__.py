"""The noising process and its reversal: schedules, predictions, denoisers, objectives, samplers, guidance."""

from genwindow.data.classes import NO_LABEL
from genwindow.diffusion.denoiser import Denoiser, ExactDenoiser, NetworkDenoiser
from genwindow.diffusion.guidance import Guided
from genwindow.diffusion.objectives import noise_error, training_loss
from genwindow.diffusion.predictions import Prediction, from_prediction, noised, to_prediction
from genwindow.diffusion.samplers import sample
from genwindow.diffusion.schedules import (
    DiscreteSchedule,
    OrnsteinUhlenbeck,
    RectifiedFlow,
    Schedule,
    TrigonometricInterpolant,
    cosine_schedule,
    linear_schedule,
    named_schedule,
)

__all__ = [
    "NO_LABEL",
    "Denoiser",
    "DiscreteSchedule",
    "ExactDenoiser",
    "Guided",
    "NetworkDenoiser",
    "OrnsteinUhlenbeck",
    "Prediction",
    "RectifiedFlow",
    "Schedule",
    "TrigonometricInterpolant",
    "cosine_schedule",
    "from_prediction",
    "linear_schedule",
    "named_schedule",
    "noise_error",
    "noised",
    "sample",
    "to_prediction",
    "training_loss",
]
