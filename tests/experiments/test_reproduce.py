import json

import pytest

from genwindow import GenwindowError
from genwindow.experiments.reproduce import MODULES, experiment, experiment_configs, reproduce
from genwindow.experiments.settings import SCALES
from genwindow.sweep import Inline, Processes


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduce")


@pytest.mark.parametrize("name", MODULES)
def test_every_experiment_goes_through_at_smoke_scale(out, name):
    found = reproduce(name, "smoke", out, Inline())
    folder = out / "smoke" / name
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["experiment"] == name and summary["sentences"] == list(found.sentences)
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    assert "It shows that the experiment runs, and nothing about the claim." in page
    assert experiment(name).title.replace("&", "&amp;") in page and "nan" not in json.dumps(summary).lower()


def test_runs_that_two_experiments_need_are_made_once(out):
    reproduce("n-sweep", "smoke", out, Inline())
    before = {p: p.stat().st_mtime_ns for p in (out / "smoke" / "runs").glob("n*/curves.csv")}
    reproduce("threshold", "smoke", out, Processes(1))
    assert {p: p.stat().st_mtime_ns for p in (out / "smoke" / "runs").glob("n*/curves.csv")} == before


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("scale", SCALES)
def test_settings_are_valid_and_each_run_is_listed_once(name, scale):
    configs = experiment_configs(name, scale)
    assert len({config.digest for config in configs}) == len(configs) >= 3


def test_the_plane_has_enough_points():
    assert len(experiment_configs("phase", "cpu")) >= 12


def test_other_data_and_device_are_taken():
    configs = experiment_configs("n-sweep", "paper", "my_faces/", "cpu")
    assert {c.data.source for c in configs} == {"my_faces/"} and {c.device for c in configs} == {"cpu"}


def test_a_failed_run_is_named(tmp_path):
    with pytest.raises(GenwindowError, match="of 3 runs failed: .*no_such_folder"):
        reproduce("n-sweep", "smoke", tmp_path, Inline(), data="no_such_folder")
    assert not (tmp_path / "smoke" / "n-sweep").exists()
