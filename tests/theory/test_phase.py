"""The phase plane."""

import math

import numpy as np
import pytest

from genwindow.errors import GenwindowError
from genwindow.theory import RandomFeatures, phase_plane

MODEL = RandomFeatures(4, 4, 0.05)


def test_cells_are_the_learning_curves():
    for tau in (50.0, math.inf):
        plane = MODEL.phase([1, 8, 64], [2, 16], tau)
        assert plane.gap.shape == (2, 3)
        for i, p in enumerate(plane.psi_p):
            for j, n in enumerate(plane.psi_n):
                model = RandomFeatures(p, n, 0.05)
                if math.isinf(tau):
                    train, test = model.final_losses()
                    floor = model.learning_curves([1.0]).floor
                else:
                    found = model.learning_curves([tau])
                    train, test, floor = found.train.value[0], found.test.value[0], found.floor
                assert plane.gap[i, j] == pytest.approx(test - train, rel=1e-3, abs=1e-6)
                assert plane.excess[i, j] == pytest.approx(test - floor, rel=1e-3, abs=1e-6)


def test_boundary_is_where_the_gap_passes_its_level():
    plane = MODEL.phase(np.geomspace(0.5, 128, 25), [4], level=0.2)
    edge = plane.boundary[0]
    assert edge.status == "found" and edge.low < edge.value < edge.high
    train, test = RandomFeatures(4, edge.value, 0.05).final_losses()
    assert test - train == pytest.approx(0.2, rel=0.05)


def test_boundary_statuses_at_the_ends_of_the_grid():
    assert MODEL.phase([0.1, 0.2], [50]).boundary[0].status == "not_reached"
    assert MODEL.phase([500, 1000], [0.5]).boundary[0].status == "below_range"


def test_memorization_recedes_with_n_and_comes_with_time():
    early, late = (MODEL.phase([2, 8, 32], [16], tau).gap[0] for tau in (100.0, math.inf))
    assert (early < late).all() and (np.diff(late) < 0).all()


def test_progress_is_told():
    seen = []
    phase_plane(MODEL, [1, 2], [1, 2], on_progress=seen.append)
    assert seen == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([], [1]), "psi_n must be a list"),
        (([2, 1], [1]), "psi_n must be positive and increasing"),
        (([1], [0]), "psi_p must be positive"),
        (([1], [1], -1.0), "tau must be positive"),
        (([1], [1], math.nan), "tau must be positive"),
    ],
)
def test_rejects_bad_input(arguments, match):
    with pytest.raises(GenwindowError, match=match):
        MODEL.phase(*arguments)
