"""Random features trained for real beside the closed form and the limit."""

import numpy as np
import pytest

from genwindow.errors import GenwindowError
from genwindow.experiments.features import FeaturesSettings, run_features, training

SMALL = {"d": 20, "psi_p": 3.0, "psi_n": 4.0, "t": 0.3, "steps": 200, "step": 0.5}


@pytest.mark.parametrize("data", ["gaussian", "heavy", "digits"])
def test_agrees_with_the_closed_form(data):
    found = run_features(FeaturesSettings(data=data, **SMALL))
    assert found.model.covariance.values.size == (64 if data == "digits" else 1)
    for part in ("train", "test"):
        closed, trained = getattr(found.closed, part).value, getattr(found.descent, part).value
        assert np.abs(closed - trained).max() < 0.06
        assert closed[-1] < 0.9
    assert found.adam.train.value[-1] < 0.9 and found.bound < 1e-6
    assert (found.closed.floor is None) == (data != "gaussian")


def test_answer_has_every_form(tmp_path):
    seen = []
    answer = training(FeaturesSettings(**SMALL), seen.append)
    assert seen[-1] == 1.0 and "closed form" in answer.text
    assert set(answer.data["curves"]) == {"theory", "closed", "descent", "adam"}
    assert answer.csv().splitlines()[0] == "way,tau,train,test"
    answer.draw(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("change", "match"),
    [({"data": "cifar"}, "data must be one of"), ({"d": 1}, "d must be"), ({"psi_n": 0.0}, "psi_n must be"),
     ({"data": "digits", "psi_n": 100.0}, "psi_n must be at most")],
)  # fmt: skip
def test_rejects_bad_settings(change, match):
    with pytest.raises(GenwindowError, match=match):
        run_features(FeaturesSettings(**{**SMALL, **change}))
