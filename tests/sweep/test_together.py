import logging
import multiprocessing
import os
import signal

import pytest
import torch
from safetensors.torch import load_file
from tests.sweep.small import config

from genwindow.runs import RunFolder, execute_together
from genwindow.sweep import Inline, Job, Outcome, Processes, run_status
from genwindow.sweep.executors import MOST, Queue


def jobs(folder, *sizes, **settings):
    return [Job(config(n, **settings), folder / f"n{n}") for n in sizes]


def weights(folder):
    return torch.cat([w.flatten() for w in load_file(folder / "snapshots" / "final.safetensors").values()])


def gap(one, other):
    return float((weights(one) - weights(other)).norm() / weights(other).norm())


@pytest.fixture
def companies(monkeypatch):
    """How many runs each call of `execute_together` was given."""
    seen = []

    def counted(runs, **options):
        seen.append(len(runs))
        return execute_together(runs, **options)

    monkeypatch.setattr("genwindow.sweep.jobs.execute_together", counted)
    return seen


def test_inline_trains_together_by_itself_and_agrees_with_one_by_one(tmp_path, companies):
    together = jobs(tmp_path / "together", 8, 12, 16, steps=200)
    alone = jobs(tmp_path / "alone", 8, 12, 16, steps=200)
    assert [o.state for o in Inline().run(together)] == ["done"] * 3
    assert companies == [3]
    assert [o.state for o in Inline(together=False).run(alone)] == ["done"] * 3
    assert companies == [3]
    for one, other in zip(together, alone, strict=True):
        assert gap(one.folder, other.folder) < 1e-4
        assert run_status(one).state == "done"


def test_runs_that_differ_in_their_settings_train_apart(tmp_path, companies):
    made = [*jobs(tmp_path / "a", 8, 12), *jobs(tmp_path / "b", 8, 12, lr=1e-2), *jobs(tmp_path / "c", 8, lr=1e-4)]
    assert [o.state for o in Inline().run(made)] == ["done"] * 5
    assert companies == [2, 2]


def test_a_diverging_run_is_marked_and_those_that_trained_with_it_go_on(tmp_path, companies, monkeypatch):
    made = jobs(tmp_path / "runs", 8, 12)
    from genwindow.runs.session import Session

    advance = Session.advance

    def explode(self, record):
        if self.config.data.n == 8 and record.step == 5:
            with torch.no_grad():
                self.denoiser.network.out.bias.fill_(1e6)
        return advance(self, record)

    monkeypatch.setattr(Session, "advance", explode)
    bad, good = Inline().run(made)
    assert companies == [2] and bad.state == "failed" and good.state == "done"
    assert "training diverged at step 5" in run_status(made[0]).reason and run_status(made[0]).state == "failed"
    assert run_status(made[1]).state == "done"
    assert Inline().run(made)[1].state == "done"


def test_what_breaks_down_together_is_made_one_by_one(tmp_path, monkeypatch, caplog):
    def broken(runs, **_):
        raise RuntimeError("not enough memory")

    monkeypatch.setattr("genwindow.sweep.jobs.execute_together", broken)
    with caplog.at_level(logging.WARNING):
        outcomes = Inline().run(jobs(tmp_path, 8, 12))
    assert [o.state for o in outcomes] == ["done", "done"]
    assert "2 runs cannot train together" in caplog.text


def test_a_killed_worker_loses_at_most_the_work_since_the_checkpoints_of_its_company(tmp_path):
    whole = jobs(tmp_path / "whole", 8, 12, steps=1500)
    Inline().run(whole)
    made = [Job(j.config, tmp_path / "killed" / j.folder.name, checkpoint_seconds=0.1) for j in whole]
    killed = []

    def kill_once():
        if not killed and all((job.folder / "checkpoint" / "previous.pt").exists() for job in made):
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGKILL)
            killed.extend(RunFolder(job.folder).read("status")["step"] for job in made)

    outcomes = Processes(1).run(made, kill_once)
    assert [o.state for o in outcomes] == ["done"] * 2
    assert len(killed) == 2 and all(0 < step < 1500 for step in killed)
    for one, other in zip(made, whole, strict=True):
        assert gap(one.folder, other.folder) < 1e-4


def queue_of(count, **settings):
    made = [Job(config(8, seed=seed, **settings), None) for seed in range(count)]
    return made, Queue(made, together=True)


def test_jobs_are_dealt_out_among_idle_processes():
    made, queue = queue_of(7)
    assert queue.next_company(2) == made[::2]
    assert queue.next_company(1) == made[1::2]
    assert queue.next_company(1) == []
    made, queue = queue_of(2)
    assert [queue.next_company(2), queue.next_company(1)] == [made[:1], made[1:]]  # a process for each
    made, queue = queue_of(MOST + 3)
    assert queue.next_company() == made[:MOST]
    made, queue = Queue(made), None
    assert len(made.next_company()) == 1  # not asked to train together


def test_a_job_whose_process_dies_tries_once_more_in_its_company_then_alone(monkeypatch):
    monkeypatch.setattr("genwindow.sweep.executors.keep_failure", lambda job, message: None)
    made, queue = queue_of(3)
    for _ in range(2):
        company = queue.next_company()
        assert company == made
        for job in reversed(company):
            queue.died(job, "killed")
    assert queue.next_company() == made[:1]
    queue.died(made[0], "killed")  # for the third time, alone: it was this one
    for job in made[1:]:
        assert queue.next_company() == [job]
        queue.settle(Outcome(job, ""))
    assert [outcome.state for outcome in queue.outcomes()] == ["failed", "done", "done"]


def test_a_job_that_was_killed_is_not_mixed_with_fresh_ones():
    made, queue = queue_of(4)
    first = queue.next_company(2)
    for job in reversed(first):
        queue.died(job, "killed")
    assert queue.next_company() == first
    assert queue.next_company() == [job for job in made if job not in first]
