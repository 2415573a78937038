import json

import pytest

from genwindow import Estimate
from genwindow.experiments import demo
from genwindow.experiments.comparison import compare
from genwindow.experiments.demo import demo_config, demo_jobs, run_demo
from genwindow.runs import DataSettings, RunConfig, RunFolder, RunResult, TrainSettings
from genwindow.sweep import Inline


def test_only_n_differs_between_the_runs_of_the_demo(tmp_path):
    jobs = demo_jobs(tmp_path)
    assert [job.config.data.n for job in jobs] == [32, 64, 128, 256]
    assert len({job.folder for job in jobs}) == 4
    for job in jobs:
        assert demo_config(32) == job.config.__class__.from_json(
            {**job.config.to_json(), "data": {**job.config.to_json()["data"], "n": 32}}
        )


def test_a_short_demo_writes_summary_figure_and_report(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "SIZES", (8, 16))
    seen = []
    found = run_demo(tmp_path, Inline(), steps=60, on_progress=lambda p: seen.append(p.done))
    assert seen[-1] == 1
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [run["n"] for run in summary["runs"]] == [8, 16]
    for run in summary["runs"]:
        assert {"tau_gen", "tau_mem", "f_mem_final", "floor"} <= set(run)
        Estimate.from_json(run["tau_gen"]), Estimate.from_json(run["tau_mem"])
        assert 0 <= run["f_mem_final"] <= 1
    Estimate.from_json(summary["scaling"]["exponent"])
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert (tmp_path / "summary.png").read_bytes().startswith(b"\x89PNG")
    assert found.scaling is not None
    again = run_demo(tmp_path, Inline(), steps=60)
    assert again.summary() == found.summary()


def test_one_run_has_no_law(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "SIZES", (8,))
    found = run_demo(tmp_path, Inline(), steps=30)
    assert found.scaling is None and found.collapsed is None
    assert found.summary()["scaling"] == {}


def test_runs_that_differ_in_more_than_n_and_seed_have_no_law(tmp_path):
    runs = []
    for n, lr, seed in ((8, 1e-3, 0), (16, 1e-3, 1), (16, 1e-2, 0)):
        config = RunConfig(data=DataSettings(n=n), train=TrainSettings(lr=lr, seed=seed))
        time = {"tau_mem": Estimate(10.0 * n, None, None, "found", "t")}
        runs.append(RunResult(tmp_path / f"{n}-{lr}", config, "done", (), time))
    assert compare(runs[:2]).scaling.exponent.value == pytest.approx(1)
    assert compare(runs).scaling is None and compare(runs).collapsed is None


def test_a_run_that_only_began_takes_part_without_times(tmp_path):
    job = demo_jobs(tmp_path)[0]
    with RunFolder(job.folder).locked():
        RunFolder(job.folder).begin(job.config)
    found = compare([RunFolder(job.folder).load()])
    assert found.summary()["runs"][0]["tau_mem"]["status"] == "ill_posed"


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_demo_shows_the_window(tmp_path, seed):
    from genwindow.sweep import Processes

    found = run_demo(tmp_path, Processes(), seed=seed)
    exponent = found.scaling.exponent
    assert 0.7 <= exponent.value <= 1.8
    assert exponent.low > 0.5
    generate = [run.estimates["tau_gen"] for run in found.runs]
    assert all(e.found for e in generate)
    assert max(e.value for e in generate) < 2.5 * min(e.value for e in generate)
    for run in found.runs:
        assert run.estimates["tau_mem"].found
        assert run.estimates["floor"].value <= 0.01
