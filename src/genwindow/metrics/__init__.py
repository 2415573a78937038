"""Measures of a model: neighbours, memorized fraction, Fréchet distance, denoising loss and score error at fixed t."""

from genwindow.metrics.copies import (
    adaptive_ratio,
    authentic,
    cosine_distance,
    coverage,
    data_copying_test,
    nearer_share,
)
from genwindow.metrics.copy_rate import CopyRate
from genwindow.metrics.embeddings import PrincipalComponents, principal_components
from genwindow.metrics.evidence import conformal_p_values, copied_images, discoveries, tail_p_values, threshold_at
from genwindow.metrics.frechet import FrechetReference, frechet_distance
from genwindow.metrics.loss import DenoisingLoss, denoising_loss
from genwindow.metrics.memorization import Memorization, RatioCurve, TrainingSet, memorized_fraction
from genwindow.metrics.neighbours import Neighbours, nearest_neighbours
from genwindow.metrics.score_error import ScoreError, score_error
from genwindow.metrics.stable_rank import stable_rank

__all__ = [
    "CopyRate",
    "DenoisingLoss",
    "FrechetReference",
    "Memorization",
    "Neighbours",
    "PrincipalComponents",
    "RatioCurve",
    "ScoreError",
    "TrainingSet",
    "adaptive_ratio",
    "authentic",
    "conformal_p_values",
    "copied_images",
    "cosine_distance",
    "coverage",
    "data_copying_test",
    "denoising_loss",
    "discoveries",
    "frechet_distance",
    "memorized_fraction",
    "nearer_share",
    "nearest_neighbours",
    "principal_components",
    "score_error",
    "stable_rank",
    "tail_p_values",
    "threshold_at",
]
