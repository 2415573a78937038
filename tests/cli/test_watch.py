import pytest
from tests.runs.test_watched import monitored

from genwindow.cli.main import main
from genwindow.runs import keep_watch


def test_watches_once_and_draws_the_page(tmp_path, capsys):
    monitored(tmp_path / "host")
    assert main(["watch", str(tmp_path / "host"), "--once", "--page"]) == 0
    out = capsys.readouterr().out
    assert "running, step 159" in out and "f_mem" in out
    assert "refresh" in (tmp_path / "host" / "watch.html").read_text()


def test_ends_with_the_training(tmp_path, capsys):
    keep_watch(monitored(tmp_path / "host"), tmp_path / "host", status="done")
    assert main(["watch", str(tmp_path / "host")]) == 0
    assert "done, step 159" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"), [(["nowhere"], "holds no run"), (["x", "--every", "0"], "--every must be")]
)
def test_rejects(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["watch", *arguments]) == 2
    assert message in capsys.readouterr().err
