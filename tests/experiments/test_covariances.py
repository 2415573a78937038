"""Covariances from their short form."""

import numpy as np
import pytest

from genwindow.errors import GenwindowError
from genwindow.experiments.covariances import covariance_of


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
