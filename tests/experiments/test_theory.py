"""Answers of the theory in numbers; their wording is tested through the command line."""

import numpy as np
import pytest

from genwindow.curve import Curve
from genwindow.experiments.theory import bulks, timescales
from genwindow.theory import GaussianEquivalent, RandomFeatures


def test_bulks_add_up_to_the_whole():
    model = RandomFeatures(8, 3, 0.05)
    answer = bulks(model, d=30, seed=5)
    assert [b["trained"] for b in answer.data["bulks"]] == ["fast", "+ middle", "+ slow"]
    last = [b["curves"][0]["value"][-1] for b in answer.data["bulks"]]
    assert last[0] > last[1] > last[2]
    sample = GaussianEquivalent.draw(model, 30, np.random.default_rng(5))
    assert sum(b["overlap"] for b in answer.data["bulks"]) == pytest.approx(sample.overlaps().sum())
    train, test = (Curve.from_json(curve) for curve in answer.data["bulks"][-1]["curves"])
    whole = sample.learning_curves(test.tau)
    np.testing.assert_allclose(train.value, whole.train.value)
    np.testing.assert_allclose(test.value, whole.test.value)


def test_timescales_say_what_is_not_reached():
    answer = timescales(RandomFeatures(2, 8, 0.05), [1, 100])
    assert answer.rows[1]["tau_mem"] is None and answer.rows[1]["tau_mem_status"] == "not_reached"
    assert "never" in answer.text
