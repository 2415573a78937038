"""`genwindow theory`: every question in every form, and errors that let the reader fix the call."""

import csv
import io
import json

import pytest

from genwindow.cli.main import main

SMALL = {
    "spectrum": ["--psi-p", "8", "--psi-n", "3", "--d", "20"],
    "bulks": ["--psi-p", "8", "--psi-n", "3", "--d", "20"],
    "curves": ["--psi-p", "8", "--psi-n", "2,4", "--points", "20"],
    "timescales": ["--psi-p", "8", "--psi-n", "2,4"],
    "phase": ["--psi-p", "1,4", "--psi-n", "1,4", "--tau", "100"],
    "train": ["--d", "10", "--psi-p", "2", "--psi-n", "2", "--steps", "20"],
}


@pytest.mark.parametrize("question", SMALL)
def test_every_form(question, capsys, tmp_path):
    plot = tmp_path / "out.png"
    assert main(["theory", question, *SMALL[question], "--plot", str(plot)]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3 and plot.read_bytes()[:4] == b"\x89PNG"
    assert main(["theory", question, *SMALL[question], "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert main(["theory", question, *SMALL[question], "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(data) > 2 and len(rows) >= 2 and all(None not in row for row in rows)


def test_defaults_are_the_paper_s_setting(capsys):
    assert main(["theory", "spectrum"]) == 0
    out = capsys.readouterr().out
    assert "psi_p = 64, psi_n = 8, t = 0.01, tanh" in out and "total mass 1.000000000" in out
    assert [line.split()[0] for line in out.splitlines()[3:6]] == ["slow", "middle", "fast"]


def test_curves_with_momentum_and_times(capsys):
    assert main(["theory", "curves", "--psi-p", "8", "--psi-n", "2", "--tau", "1,1000", "--step", "1",
                 "--momentum", "0.5", "--ridge", "0.01", "--csv"]) == 0  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert float(rows[-1]["tau"]) == 1000 and float(rows[0]["tau"]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["spectrum", "--psi-n", "0"], "psi_n must be a number in (0, inf), got 0.0"),
        (["timescales", "--psi-p", "1e12", "--psi-n", "1"], "no bulk of the spectrum can be told at psi_p = 1e+12"),
        (["bulks", "--psi-p", "1e12", "--psi-n", "1"], "no bulk of the spectrum can be told at psi_p = 1e+12"),
        (["curves", "--t", "1000"], "t must be a number in (0, 300], got 1000"),
        (["bulks", "--seed", "-1"], "seed must be a whole number of at least 0"),
        (["spectrum", "--seed", "-1"], "seed must be a whole number of at least 0"),
        (["spectrum", "--t", "-1"], "t must be a number"),
        (["spectrum", "--activation", "hermite2"], "no linear part"),
        (["spectrum", "--covariance", "atoms:0,0"], "positive trace"),
        (["spectrum", "--covariance", "foo"], "covariance must be isotropic"),
        (["spectrum", "--plot", "x.pdf"], "must end in .png"),
        (["spectrum", "--plot", "/nowhere/x.png"], "there is no folder"),
        (["spectrum", "--psi-n", "2,4"], "psi_n must be one number here"),
        (["curves", "--psi-n", "a"], "psi_n must be numbers separated by commas"),
        (["curves", "--tau", "5"], "tau must be first,last"),
        (["curves", "--momentum", "0.5"], "give --step too"),
        (["curves", "--step", "1e9"], "step must be below"),
        (["curves", "--json", "--csv"], "not both"),
        (["phase", "--psi-n", "4,2"], "increasing"),
        (["phase", "--tau", "nan"], "tau must be finite"),
        (["train", "--data", "moon"], "data must be one of"),
        (["what"], "no question 'what'; there are spectrum"),
        (["spectrum", "--what", "1"], "unrecognized"),
    ],
)
def test_rejects_bad_input_in_one_line(arguments, says, capsys):
    assert main(["theory", *arguments]) == 2
    captured = capsys.readouterr()
    assert says in captured.err and captured.err.count("\n") == 1 and not captured.out


def test_help(capsys):
    assert main(["theory"]) == 2
    assert main(["theory", "--help"]) == 0
    assert "timescales" in capsys.readouterr().out
