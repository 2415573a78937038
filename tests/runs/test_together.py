import dataclasses
import os
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from genwindow import GenwindowError
from genwindow.runs import (
    Busy,
    DataSettings,
    Interrupted,
    MeasureSettings,
    NetSettings,
    RunConfig,
    RunFolder,
    TrainSettings,
    company,
    execute,
    execute_together,
)
from genwindow.train import load_state


def small(n=16, steps=60, *, source="digits", conditional=False, width=16, **train):
    settings = {"optimizer": "adam", "batch": 8, "ema": 0.9, **train}
    return RunConfig(
        data=DataSettings(source, n, heldout=40, reference=40),
        net=NetSettings("mlp", width, 1, conditional=conditional),
        train=TrainSettings(steps=steps, **settings),
        measure=MeasureSettings(first=10, per_octave=1, samples=48, sampler_steps=5, loss_images=16, loss_draws=1),
    )


def weights(folder, name="final"):
    return load_file(folder / "snapshots" / f"{name}.safetensors")


def gap(one, other):
    a, b = (torch.cat([w.flatten() for w in weights(folder).values()]) for folder in (one, other))
    return float((a - b).norm() / b.norm())


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def agree(one, other):
    """Weights to 1e-4; every curve at the same times with the same values, shares of copies within one sample."""
    assert gap(one, other) < 1e-4
    first, second = RunFolder(one).load(), RunFolder(other).load()
    assert first.status == second.status == "done" and first.config == second.config
    assert [(c.name, c.t) for c in first.curves] == [(c.name, c.t) for c in second.curves]
    for a, b in zip(first.curves, second.curves, strict=True):
        assert a.step.tolist() == b.step.tolist() and a.samples.tolist() == b.samples.tolist()
        np.testing.assert_allclose(a.value, b.value, rtol=1e-3, atol=1.01 / 48 if a.name.startswith("f_mem") else 1e-6)
    assert first.estimates.keys() == second.estimates.keys()


def test_agrees_with_one_by_one_where_one_run_takes_all_of_its_images(tmp_path):
    """Batches of 16: said as a number, and as all of 16 images."""
    made = [small(16, batch=0), small(40, batch=16), small(16, seed=1, batch=30)]
    assert len({company(config) for config in made}) == 1
    assert execute_together([(config, tmp_path / "together" / str(i)) for i, config in enumerate(made)]) == [None] * 3
    for i, config in enumerate(made):
        execute(config, tmp_path / "alone" / str(i))
        agree(tmp_path / "together" / str(i), tmp_path / "alone" / str(i))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "lr": 0.01},
        {"source": "mixture", "ema": 0.0},
        {"source": "mixture", "conditional": True, "label_dropout": 0.2},
    ],
)
def test_agrees_with_one_by_one_for_sizes_seeds_and_lengths_that_differ(tmp_path, options):
    made = [small(16, 200, **options), small(40, 90, seed=1, **options), small(24, 200, seed=2, **options)]
    ends = execute_together([(config, tmp_path / "together" / str(i)) for i, config in enumerate(made)])
    assert ends == [None, None, None]
    for i, config in enumerate(made):
        execute(config, tmp_path / "alone" / str(i))
        agree(tmp_path / "together" / str(i), tmp_path / "alone" / str(i))
        names = [sorted(p.name for p in (tmp_path / way / str(i)).iterdir()) for way in ("together", "alone")]
        assert names[0] == names[1]


def test_a_checkpoint_of_a_run_trained_together_is_that_of_a_single_run(tmp_path):
    made = [small(16), small(40, seed=1)]
    execute_together([(config, tmp_path / str(i)) for i, config in enumerate(made)])
    execute(made[0], tmp_path / "alone")
    ours, theirs = (load_state(tmp_path / name / "checkpoint" / "state.pt") for name in ("0", "alone"))
    assert ours.keys() == theirs.keys()
    assert ours["optimizer"]["param_groups"] == theirs["optimizer"]["param_groups"]
    for k, state in theirs["optimizer"]["state"].items():
        assert {name: v.shape for name, v in ours["optimizer"]["state"][k].items()} == {
            name: v.shape for name, v in state.items()
        }
    assert [RunFolder(tmp_path / name).read("provenance")["together"] for name in ("0", "1", "alone")] == [2, 2, 1]
    sizes = [(tmp_path / name / "checkpoint" / "state.pt").stat().st_size for name in ("0", "alone")]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def interrupting(at):
    sent = []

    def interrupt(progress):
        if progress.step >= at and not sent:
            sent.append(progress.step)
            os.kill(os.getpid(), signal.SIGINT)

    return interrupt


def interrupted(runs, monkeypatch, at=20):
    with monkeypatch.context() as patch:
        patch.setattr("genwindow.runs.session.STATUS_SECONDS", 0.0)
        with pytest.raises(Interrupted):
            execute_together(runs, on_progress=interrupting(at))


def test_interrupted_and_resumed_in_the_same_company_it_ends_with_the_same_weights_bit_for_bit(tmp_path, monkeypatch):
    made = [small(16, 100), small(40, 60, seed=1), small(24, 100, seed=2)]
    whole = [(config, tmp_path / "whole" / str(i)) for i, config in enumerate(made)]
    broken = [(config, tmp_path / "broken" / str(i)) for i, config in enumerate(made)]
    execute_together(whole)
    interrupted(broken, monkeypatch)
    assert [RunFolder(folder).read("status")["state"] for _, folder in broken] == ["interrupted"] * 3
    assert len({RunFolder(folder).read("status")["step"] for _, folder in broken}) == 1
    assert execute_together(broken) == [None, None, None]
    for (_, one), (_, other) in zip(whole, broken, strict=True):
        assert all(torch.equal(weights(other)[name], value) for name, value in weights(one).items())


def test_finished_runs_go_on_together_for_more_steps(tmp_path):
    """As if they had been that long from the beginning, up to rounding."""
    made = [small(16, 40), small(40, 30, seed=1)]
    longer = [dataclasses.replace(c, train=dataclasses.replace(c.train, steps=c.train.steps + 30)) for c in made]
    whole = [(config, tmp_path / "whole" / str(i)) for i, config in enumerate(longer)]
    execute_together([(config, tmp_path / "run" / str(i)) for i, config in enumerate(made)])
    assert execute_together([(config, tmp_path / "run" / str(i)) for i, config in enumerate(longer)]) == [None, None]
    assert execute_together(whole) == [None, None]
    for i, (config, folder) in enumerate(whole):
        run = RunFolder(tmp_path / "run" / str(i))
        assert run.load().config == config and run.read("status")["state"] == "done"
        assert run.read("status")["step"] == config.train.steps
        assert gap(run.path, folder) < 1e-5


def test_begun_together_and_resumed_alone_and_the_other_way_round(tmp_path, monkeypatch):
    made = [small(16, 100), small(40, 100, seed=1)]
    for i, config in enumerate(made):
        execute(config, tmp_path / "alone" / str(i))
    left = [(config, tmp_path / "left" / str(i)) for i, config in enumerate(made)]
    interrupted(left, monkeypatch)
    for config, folder in left:
        execute(config, folder)
    joined = [(config, tmp_path / "joined" / str(i)) for i, config in enumerate(made)]
    with monkeypatch.context() as patch:
        patch.setattr("genwindow.runs.session.STATUS_SECONDS", 0.0)
        with pytest.raises(Interrupted):
            execute(*joined[0], on_progress=interrupting(37))  # the other begins at step 0 and catches up
    assert execute_together(joined) == [None, None]
    for i in range(2):
        agree(tmp_path / "left" / str(i), tmp_path / "alone" / str(i))
        agree(tmp_path / "joined" / str(i), tmp_path / "alone" / str(i))


def test_a_run_that_diverges_is_marked_and_the_others_are_those_trained_alone(tmp_path, monkeypatch):
    made = [small(16), small(40, seed=1), small(24, seed=2)]
    runs = [(config, tmp_path / "together" / str(i)) for i, config in enumerate(made)]
    from genwindow.runs import data

    read = data.build_data

    def spoiled(settings):
        found = read(settings)
        if settings.n == 40:
            found.train[3:] = float("inf")
        return found

    with monkeypatch.context() as patch:
        patch.setattr("genwindow.runs.session.build_data", spoiled)
        patch.setattr("genwindow.runs.session.build_monitor", _deaf_to_infinity)
        ends = execute_together(runs)
    assert ends[0] is None and ends[2] is None
    assert isinstance(ends[1], GenwindowError) and "training diverged at step 0 (loss" in str(ends[1])
    assert RunFolder(runs[1][1]).read("status")["state"] == "failed" and not RunFolder(runs[1][1]).busy
    for i in (0, 2):
        execute(made[i], tmp_path / "alone" / str(i))
        agree(runs[i][1], tmp_path / "alone" / str(i))


def _deaf_to_infinity(config, data, denoiser, ema):
    from genwindow.runs.measure import build_monitor

    return build_monitor(config, dataclasses.replace(data, train=data.train.nan_to_num(0, 0, 0)), denoiser, ema)


def test_runs_that_cannot_begin_do_not_stop_the_others_and_done_ones_are_left_alone(tmp_path):
    done = small(24, seed=2)
    execute(done, tmp_path / "done")
    before = (tmp_path / "done" / "curves.csv").stat().st_mtime_ns
    with RunFolder(tmp_path / "busy").locked():
        ends = execute_together([
            (small(16), tmp_path / "good"), (small(9000), tmp_path / "bad"),
            (small(40), tmp_path / "busy"), (done, tmp_path / "done"),
        ])  # fmt: skip
    assert ends[0] is None and "9000" in str(ends[1]) and isinstance(ends[2], Busy) and ends[3] is None
    assert not (tmp_path / "bad").exists()
    assert (tmp_path / "done" / "curves.csv").stat().st_mtime_ns == before


def test_an_error_while_measuring_one_run_leaves_the_others(tmp_path, monkeypatch):
    from genwindow.runs.session import Session

    measure = Session.measure

    def broken(self):
        if self.config.data.n == 40:
            raise ZeroDivisionError("no measure")
        measure(self)

    monkeypatch.setattr(Session, "measure", broken)
    ends = execute_together([(small(n), tmp_path / str(n)) for n in (16, 40, 24)])
    assert ends[0] is None and isinstance(ends[1], ZeroDivisionError) and ends[2] is None


def test_what_runs_must_have_in_common():
    base = company(small())
    assert base is not None
    assert base == company(small(64, 500, seed=7)) == company(dataclasses.replace(small(), measure=MeasureSettings()))
    assert base == company(small(8, batch=64)) != company(small(16, batch=64))  # the batch is all 8 images, or 16
    for changed in ({"lr": 1e-2}, {"optimizer": "sgd"}, {"width": 32}, {"ema": 0.0}, {"source": "mixture"}):
        assert company(small(**changed)) not in (None, base)
    assert company(small(width=1024)) is None and company(small(2000, batch=2000, width=128)) is None
    assert company(dataclasses.replace(small(), net=NetSettings("unet", 8))) is None
    assert company(dataclasses.replace(small(), precision="bfloat16")) is None
    assert company(dataclasses.replace(small(), device="cuda")) is None


def test_rejects_runs_that_cannot_train_together(tmp_path):
    with pytest.raises(GenwindowError, match=r"these runs cannot train together; they differ in .*train\.lr"):
        execute_together([(small(), tmp_path / "a"), (small(lr=0.5), tmp_path / "b")])
    with pytest.raises(GenwindowError, match="each of the runs must be one that can train together"):
        execute_together([(small(width=1024), tmp_path / "a")])
    assert not (tmp_path / "a").exists()
