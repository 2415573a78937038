"""The copy criterion read at another threshold, on a short run."""

import numpy as np

from genwindow.experiments.settings import smoke
from genwindow.experiments.threshold import read_at
from genwindow.runs import RunFolder, execute


def test_agrees_with_the_run_at_its_own_threshold(tmp_path):
    execute(smoke(8), tmp_path / "run")
    run = RunFolder(tmp_path / "run").load()
    same, larger = read_at(run, run.config.measure.threshold), read_at(run, 0.9)
    np.testing.assert_array_equal(same.curve("f_mem").value, run.curve("f_mem").value)
    assert (larger.curve("f_mem").value >= run.curve("f_mem").value).all()
    assert larger.verdicts == run.verdicts and larger.seconds == run.seconds and larger.parameters == run.parameters
