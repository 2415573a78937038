import dataclasses
import json
import threading

import pytest
from tests.sweep.small import config

from genwindow import GenwindowError
from genwindow.sweep import Inline, SweepFolder, read_progress, run_id, run_status, time_left
from genwindow.sweep.jobs import forget_failure


def test_adding_values_later_runs_only_what_is_new(tmp_path):
    sweep = SweepFolder(tmp_path / "sweep")
    Inline().run(sweep.add([config(8)]))
    stamp = (tmp_path / "sweep" / run_id(config(8)) / "status.json").stat().st_mtime_ns
    jobs = sweep.add([config(8), config(12)])
    assert [run_status(job).state for job in jobs] == ["done", "missing"]
    Inline().run(jobs)
    assert [run_status(job).state for job in sweep.jobs()] == ["done", "done"]
    assert (jobs[0].folder / "status.json").stat().st_mtime_ns == stamp


def test_a_run_on_the_list_keeps_its_name(tmp_path):
    """Earlier versions named a run by its numbers as they were written: 4 and 4.0 were two names."""
    sweep = SweepFolder(tmp_path)
    settings = config(8).to_json()
    settings["measure"]["per_octave"] = 4
    (tmp_path / "sweep.json").write_text(json.dumps({"schema": 1, "runs": {"n8-0123456789": settings}}))
    again, new = (
        dataclasses.replace(config(8), measure=dataclasses.replace(config(8).measure, per_octave=4)),
        config(12),
    )
    names = ["n8-0123456789", run_id(new)]
    assert [job.folder.name for job in sweep.find([again, new])] == names
    assert [job.folder.name for job in sweep.add([again, new])] == names
    assert [job.folder.name for job in sweep.jobs()] == names


def test_two_writers_lose_nothing(tmp_path):
    groups = [[config(n, seed=k) for n in range(2, 22)] for k in range(4)]
    writers = [threading.Thread(target=lambda g=g: [SweepFolder(tmp_path).add([c]) for c in g]) for g in groups]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {run_id(c) for group in groups for c in group} == {job.folder.name for job in SweepFolder(tmp_path).jobs()}


def test_status_of_every_kind(tmp_path):
    done, failed, cut, at_work, missing = jobs = SweepFolder(tmp_path).add([config(n) for n in (8, 9000, 12, 16, 20)])
    Inline().run([done, failed])
    cut.folder.mkdir()
    (cut.folder / "config.json").write_text(json.dumps(cut.config.to_json()))
    (cut.folder / "status.json").write_text(json.dumps({"state": "running", "step": 10, "seconds": 3.0}))
    from genwindow.runs import RunFolder

    with RunFolder(at_work.folder).locked():
        found = [run_status(job) for job in jobs]
        assert [s.state for s in found] == ["done", "failed", "interrupted", "running", "missing"]
    assert "9000" in found[1].reason and found[1].step == 0
    assert found[2].step == 10 and found[2].left > 0
    assert found[4].left is None and time_left(found, 1) > time_left(found, 2) > 0
    forget_failure(failed)
    assert run_status(failed).state == "missing"
    assert json.dumps([s.to_json() for s in found])


@pytest.mark.parametrize("text", ["[]", "null", '{"step": "x"}', '{"state": []}', "{"])
def test_a_damaged_status_is_that_of_its_run_only(tmp_path, text):
    damaged, other = jobs = SweepFolder(tmp_path).add([config(8), config(12)])
    damaged.folder.mkdir()
    (damaged.folder / "config.json").write_text(json.dumps(damaged.config.to_json()))
    (damaged.folder / "status.json").write_text(text)
    found = [run_status(job) for job in jobs]
    assert [s.state for s in found] == ["failed", "missing"] and "status.json" in found[0].reason
    outcomes = Inline().run(jobs)
    assert [o.state for o in outcomes] == ["failed", "done"] and "status.json" in outcomes[0].error
    assert read_progress(jobs).states[1][0] == "done"


def test_a_folder_that_is_read_while_locked_briefly_can_still_be_worked_on(tmp_path):
    (job,) = SweepFolder(tmp_path).add([config(8)])
    stop = threading.Event()

    def look():
        while not stop.is_set():
            run_status(job)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        assert Inline().run([job])[0].state == "done"
    finally:
        stop.set()
        watcher.join()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"sweep\.json is no list of runs \(TypeError"),
        ("{}", r"sweep\.json is no list of runs \(KeyError: 'schema'"),
        ('{"schema": 1, "runs": 3}', r"sweep\.json is no list of runs \(AttributeError"),
        ("{", r"sweep\.json is no list of runs \(JSONDecodeError"),
        ('{"schema": 1, "runs": {"a": {"x": 1}}}', r"sweep\.json: configuration: unknown setting x"),
    ],
)
def test_rejects_a_damaged_list(tmp_path, text, message):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(GenwindowError, match=message):
        SweepFolder(tmp_path).jobs()
    assert (tmp_path / "sweep.json").read_text() == text


def test_rejects_a_list_of_another_schema(tmp_path):
    (tmp_path / "sweep.json").write_text('{"schema": 2, "runs": {}}')
    with pytest.raises(GenwindowError, match="schema 2"):
        SweepFolder(tmp_path).add([config(8)])


def test_rejects_places_that_are_no_sweep(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GenwindowError, match="is a file"):
        SweepFolder(tmp_path / "file").add([config(8)])
    with pytest.raises(GenwindowError, match="holds no sweep"):
        SweepFolder(tmp_path / "none").jobs()
    Inline().run(SweepFolder(tmp_path / "s").add([config(8)]))
    with pytest.raises(GenwindowError, match="holds a single run"):
        SweepFolder(tmp_path / "s" / run_id(config(8))).add([config(8)])
