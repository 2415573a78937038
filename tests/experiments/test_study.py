"""Studies: what is kept, what is computed again, and the same files as every other experiment."""

import json
from dataclasses import dataclass

import pytest

from genwindow import Curve, GenwindowError
from genwindow.cli.main import main
from genwindow.experiments.experiment import Finding
from genwindow.experiments.reproduce import STUDIES, study
from genwindow.experiments.settings import SCALES
from genwindow.experiments.study import Outcome, Study, digest, run_study
from genwindow.report import Line, Panel, Tile, panels_figure


@dataclass(frozen=True)
class Settings:
    n: int
    power: float = 2.0


def compute(settings):
    if settings.n < 0:
        raise GenwindowError("n must not be negative")
    return {"value": settings.n**settings.power}


def analyse(cases):
    values = [case.result["value"] for case in cases]
    curve = Curve("value", [case.settings.n for case in cases], values)
    figure = panels_figure([Panel("values", "n", "value", [Line("", curve, "#0069a8")])])
    finding = Finding({"values": values}, ("tau_mem <grows>.", "Second."), figure, "What to see.")
    rows = tuple({"n": str(case.settings.n), "tau_mem": f"{case.result['value']:g}"} for case in cases)
    return Outcome(finding, rows, (Tile("power", "2", "exactly"),))


def made(sizes=(1, 2, 3), power=2.0):
    return Study("squares", "Squares & more", "they grow", lambda scale: [Settings(n, power) for n in sizes], compute,
                 analyse, ("Nothing else.",))  # fmt: skip


def test_all_files_are_written(tmp_path):
    seen = []
    found = run_study(made(), "smoke", tmp_path, on_progress=lambda done, note: seen.append(done))
    folder = tmp_path / "smoke" / "squares"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["found"] == {"values": [1, 4, 9]} == found.summary
    assert summary["sentences"] == list(found.sentences) and len(summary["cases"]) == 3
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    assert "Squares &amp; more" in page and "<i>τ</i><sub>mem</sub> &lt;grows&gt;" in page and "Nothing else." in page
    assert seen == [0, 1 / 3, 2 / 3, 1] and 'src="http' not in page


def test_roundtrip_what_is_there_is_not_computed_again(tmp_path):
    first = run_study(made((1, 2)), "smoke", tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("cases/*")}
    again = run_study(made((1, 2, 5)), "smoke", tmp_path)
    assert {p: p.stat().st_mtime_ns for p in before} == before and len(before) == 2
    assert again.summary["values"][:2] == first.summary["values"]
    run_study(made((1, 2), power=3.0), "smoke", tmp_path)
    assert len(list(tmp_path.rglob("cases/*"))) == 5  # other settings are other cases


def test_agrees_between_processes_and_here(tmp_path):
    """The study of the random features by two processes; a test module cannot be imported by another process."""
    one = study("random-features")
    here = run_study(one, "smoke", tmp_path / "a")
    there = run_study(one, "smoke", tmp_path / "b", workers=2)
    assert here.summary == there.summary


def test_a_failing_case_is_named_and_the_others_are_kept(tmp_path):
    with pytest.raises(GenwindowError, match=r"n must not be negative \(settings: \{'n': -1, 'power': 2.0\}\)"):
        run_study(made((1, -1)), "smoke", tmp_path)
    assert len(list(tmp_path.rglob("cases/*"))) == 1 and not list(tmp_path.rglob("summary.json"))


def test_rejects_a_broken_answer_and_a_device_where_there_is_none(tmp_path):
    (tmp_path / "smoke" / "squares" / "cases").mkdir(parents=True)
    (tmp_path / "smoke" / "squares" / "cases" / f"{digest(Settings(1))}.json").write_text("{")
    with pytest.raises(GenwindowError, match=r"json cannot be read .* remove it to compute this case again"):
        run_study(made(), "smoke", tmp_path)
    with pytest.raises(GenwindowError, match="squares runs on the processor only"):
        made().cases("smoke", "cuda")
    with pytest.raises(GenwindowError, match="scale must be one of"):
        made().cases("huge")


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_goes_through_at_smoke_scale(tmp_path, name, capsys):
    assert main(["reproduce", name, "--scale", "smoke", "--out", str(tmp_path), "--executor", "inline"]) == 0
    folder = tmp_path / "smoke" / name
    summary = json.loads((folder / "summary.json").read_text())
    printed = capsys.readouterr().out
    assert summary["experiment"] == name and all(s in printed for s in summary["sentences"][:1])
    assert "nothing about the claim" in printed
    page = (folder / "report.html").read_text()
    assert study(name).title in page and "nothing about the claim" in page


@pytest.mark.gpu
@pytest.mark.parametrize("name", STUDIES)
def test_goes_through_on_a_graphics_card(tmp_path, name):
    one = study(name)
    here, there = (one.compute(case) for device in ("cpu", "cuda") for case in one.cases("smoke", device)[:1])
    assert here.keys() == there.keys()


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("scale", SCALES)
def test_settings_are_valid_and_each_case_is_listed_once(name, scale, capsys):
    cases = study(name).cases(scale)
    assert len({digest(one) for one in cases}) == len(cases) >= 3
    assert main(["reproduce", name, "--scale", scale, "--dry-run"]) == 0
    assert f"{name}: {len(cases)} models" in capsys.readouterr().out
