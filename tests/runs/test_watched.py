import pytest
import torch

from genwindow import GenwindowError
from genwindow.diffusion.draws import keyed_generator
from genwindow.monitor import Monitor
from genwindow.runs import (
    DataSettings,
    MeasureSettings,
    NetSettings,
    RunConfig,
    TrainSettings,
    execute,
    keep_watch,
    read_watched,
)

TRAIN = torch.randn(40, 1, 4, 4, generator=keyed_generator("train"))
HELDOUT = torch.randn(120, 1, 4, 4, generator=keyed_generator("heldout"))


def monitored(folder, steps=(100, 126, 159)):
    monitor = Monitor(TRAIN, HELDOUT, sample=lambda n, g: torch.randn((n, 1, 4, 4), generator=g), samples=32)
    for step in range(1, max(steps) + 1):
        if monitor.update(step):
            keep_watch(monitor, folder)
    return monitor


def test_roundtrip_of_a_host(tmp_path):
    monitor = monitored(tmp_path / "host")
    found = read_watched(tmp_path / "host")
    assert found.verdicts == monitor.verdicts and found.curves == monitor.curves() and not found.finished
    assert found.estimates == monitor.estimates() and found.step == 159 and found.verdict == monitor.compute()
    keep_watch(monitor, tmp_path / "host", status="done")
    assert read_watched(tmp_path / "host").finished


def test_a_run_folder_is_watched_as_it_is(tmp_path):
    config = RunConfig(
        DataSettings(n=16, heldout=40, reference=40),
        net=NetSettings("mlp", 16, 1),
        train=TrainSettings(steps=30, batch=8),
        measure=MeasureSettings(first=10, per_octave=1, samples=16, sampler_steps=4, loss_images=8, loss_draws=1),
    )
    result = execute(config, tmp_path / "run")
    found = read_watched(tmp_path / "run")
    assert found.finished and found.steps == 30 and found.verdicts == result.verdicts
    with pytest.raises(GenwindowError, match="holds a run with settings"):
        keep_watch(monitored(tmp_path / "host"), tmp_path / "run")
    store = tmp_path / "run" / "status.json"
    store.write_text(store.read_text().replace('"done"', '"running"'))
    assert read_watched(tmp_path / "run").status == "interrupted"  # nobody works on it


def test_rejects_a_folder_without_anything(tmp_path):
    with pytest.raises(GenwindowError, match="holds no run and no watched training"):
        read_watched(tmp_path)
