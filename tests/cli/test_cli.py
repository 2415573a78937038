import json
import os
import signal
import subprocess
import sys
import time

import pytest

from genwindow import __version__
from genwindow.cli.main import VERBS, main
from genwindow.runs.pace import Pace

SMALL = [
    "--data.n=12", "--data.heldout=40", "--data.reference=40", "--net.width=16", "--net.blocks=1", "--train.steps=40",
    "--train.batch=8", "--measure.first=10", "--measure.per_octave=1", "--measure.samples=16",
    "--measure.sampler_steps=4", "--measure.loss_images=8", "--measure.loss_draws=1",
]  # fmt: skip


def test_help_names_every_verb(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(verb in printed for verb in VERBS)
    assert main([]) == 2


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    try:
        status = main([verb, "--help"])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 0
    assert f"genwindow {verb}" in capsys.readouterr().out


def test_help_of_train_explains_settings_in_words(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "number of training images" in printed
    assert "min(batch, n) are used" in printed


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"genwindow {__version__}"


def one_line(capsys):
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("genwindow")]
    assert len(lines) == 1 and "Traceback" not in error, error
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tain"], "no verb 'tain'; there are demo, train, watch, sweep"),
        (["train", "--data.n=many"], "data.n"),
        (["train", "--data.n=0"], "n must be at least 1, got 0"),
        (["train", "--data.m=3"], "data.m"),
        (
            ["train", "--dry-run", "--net.width=1000000000"],
            "width must be at most 18176 for mlp with blocks=3, got 1000",
        ),
        (
            ["train", "--dry-run", "--net.blocks=1000000000"],
            "width must be at most 1 for mlp with blocks=1000000000, got",
        ),
        (["train", "--dry-run", "--net.kind=unet", "--net.width=8000"], "width must be at most 1046 for unet"),
        (["train", "--data.size=100000"], "size must be a whole number of at least 1 and at most 4096, got 100000"),
        (["train", "--net.kind=gan"], "--net.kind must be one of unet, mlp, got gan"),
        (["train", "--data.channels=rgb"], "--data.channels must be one of grey, colour or null, got rgb"),
        (["train", "--train.lr=abc"], "--train.lr must be a number, got abc"),
        (["train", "--data", "imgs"], "there is no data set and no path called 'imgs'"),
        (["train", "--net", "mlp"], "--net is a group of settings, not one; name the setting, as --net.NAME mlp"),
        (["train", "--train.step=100"], "unrecognized arguments: --train.step=100"),
        (["forecast", "--n=90"], "--pilots must name runs on fewer images"),
        (["train", "--data.source=/nowhere"], "/nowhere"),
        (["train", "--data.n=5000"], "5000"),
        (["report", "/nowhere"], "/nowhere is no folder"),
        (["demo", "--workers=0"], "workers must be a whole number of at least 1"),
        (["demo", "--seed=x"], "seed"),
    ],
)
def test_rejects_bad_input_in_one_line_with_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in one_line(capsys)
    assert not list(tmp_path.rglob("*.json"))


def test_dry_run_prints_the_full_configuration_and_writes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--dry-run", "--data.n=77", "--train.fixed_t=20", "--measure.samples=0"]) == 0
    written = capsys.readouterr()
    printed = json.loads(written.out)
    assert printed["data"]["n"] == 77 and printed["train"]["fixed_t"] == 20 and printed["measure"]["first"] == 100
    assert (
        "77 training images of 1x8x8 from digits, " in written.err and " parameters. Timing a few steps" in written.err
    )
    assert " ms here; 4,000 steps with all measuring about " in written.err
    assert list(tmp_path.iterdir()) == []


def test_dry_run_of_a_short_run_says_that_it_takes_less_than_a_second(capsys, monkeypatch):
    monkeypatch.setattr("genwindow.runs.measure_pace", lambda *given, **options: Pace(1e-3, 1e-3))
    assert main(["train", "--dry-run", *SMALL]) == 0
    assert " ms here; 40 steps with all measuring less than a second. Nothing" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["theory", "spectrum", "--psi-p=4", "--psi-n=2"]])
def test_a_reader_that_leaves_ends_a_command_quietly(arguments):
    command = [sys.executable, "-m", "genwindow", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 141)


def test_a_configuration_file_and_the_command_line_go_together(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["train", "--dry-run", *SMALL])
    (tmp_path / "settings.json").write_text(capsys.readouterr().out)
    assert main(["train", "--dry-run", "--config=settings.json", "--data.n=13"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["data"]["n"] == 13 and printed["net"]["width"] == 16


def test_train_then_report(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--out=one", *SMALL]) == 0
    printed = capsys.readouterr().out
    assert "tau_gen" in printed and "report.html" in printed
    assert main(["train", "--out=two", *SMALL, "--data.n=24"]) == 0
    assert main(["report", "one", "two", "--out=both.html"]) == 0
    page = (tmp_path / "both.html").read_text()
    assert "<html" in page and (tmp_path / "one" / "report.html").exists()
    settings = (tmp_path / "one" / "config.json").read_text()
    for out in ("one/config.json", "one", "page"):
        assert main(["report", "one", f"--out={out}"]) == 2
        assert f"--out {out} must be a file that ends in .html" in one_line(capsys)
    assert (tmp_path / "one" / "config.json").read_text() == settings and not (tmp_path / "page").exists()
    assert main(["report", "."]) == 0
    assert (tmp_path / "report.html").exists()
    assert main(["train", "--out=one", *SMALL, "--train.lr=0.1"]) == 2
    assert "train.lr: 0.1 against 0.001" in capsys.readouterr().err


def test_ctrl_c_leaves_a_resumable_run_and_says_how(tmp_path):
    command = [sys.executable, "-m", "genwindow", "train", "--out=run", *SMALL, "--train.steps=200000"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    status = tmp_path / "run" / "status.json"
    until = time.monotonic() + 90
    while not status.exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert "to go on: genwindow train --out=run" in error
    assert json.loads(status.read_text())["state"] == "interrupted"
    assert (tmp_path / "run" / "checkpoint" / "state.pt").exists()


def test_importing_genwindow_loads_nothing_heavy():
    heavy = "('torch', 'matplotlib', 'sklearn')"
    code = f"import sys, genwindow, genwindow.analysis; print([m for m in {heavy} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_every_experiment_is_named_in_the_help():
    from genwindow.cli.reproduce import NAMES
    from genwindow.experiments.reproduce import MODULES, STUDIES

    assert set(NAMES.replace("or ", "").split(", ")) == {*MODULES, *STUDIES, "all"}


@pytest.mark.parametrize(
    ("verb", "goes_on"), [("train", True), ("forecast", True), ("audit", False), ("theory", False), ("watch", False)]
)
def test_an_interrupt_promises_to_go_on_only_where_work_is_kept(verb, goes_on, capsys, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"genwindow.cli.{verb}.run", interrupted)
    assert main([verb]) == 130
    line = one_line(capsys)
    assert line.startswith(f"genwindow {verb}: interrupted") and ("give the same command again" in line) == goes_on


@pytest.mark.parametrize("verb", [["train"], ["forecast", "plan"]])
def test_help_says_that_data_is_the_images(verb, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([*verb, "--help"])
    assert "--data SOURCE short for --data.source: the images" in " ".join(capsys.readouterr().out.split())
