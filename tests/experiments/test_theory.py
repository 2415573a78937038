"""Covariances from their short form; the wording of answers is tested through the command line."""

import numpy as np
import pytest

from genwindow.errors import GenwindowError
from genwindow.experiments.theory import bulks, covariance_of, timescales
from genwindow.theory import RandomFeatures


@pytest.mark.parametrize(
    ("spec", "values"),
    [("isotropic", [1.0]), ("isotropic:2", [2.0]), ("atoms:1.5,0.5", [0.5, 1.5])],
)
def test_short_forms(spec, values):
    assert covariance_of(spec).values.tolist() == values


def test_short_forms_of_laws_and_data(tmp_path):
    assert covariance_of("power-law:0.5").variance == pytest.approx(1)
    assert covariance_of("marchenko-pastur:0.5").variance == pytest.approx(1)
    digits = covariance_of("data:digits")
    assert len(digits.values) == 64 and digits.variance == pytest.approx(1) and "shrinkage" in digits.text
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((30, 4, 4)))
    assert len(covariance_of(f"data:{tmp_path / 'x.npy'}").values) == 16


@pytest.mark.parametrize(
    "spec", ["", "nothing", "atoms", "atoms:a", "isotropic:1,2", "power-law", "isotropic:nan", "data:"]
)
def test_rejects_other_forms(spec):
    with pytest.raises(GenwindowError, match="covariance must be"):
        covariance_of(spec)


def test_bulks_add_up_to_the_whole():
    model = RandomFeatures(8, 3, 0.05)
    answer = bulks(model, d=30)
    assert [b["trained"] for b in answer.data["bulks"]] == ["fast", "+ middle", "+ slow"]
    last = [b["curves"][0]["value"][-1] for b in answer.data["bulks"]]
    assert last[0] > last[1] > last[2]
    assert sum(b["overlap"] for b in answer.data["bulks"]) > 0


def test_timescales_say_what_is_not_reached():
    answer = timescales(RandomFeatures(2, 8, 0.05), [1, 100])
    assert answer.rows[1]["tau_mem"] is None and answer.rows[1]["tau_mem_status"] == "not_reached"
    assert "never" in answer.text
