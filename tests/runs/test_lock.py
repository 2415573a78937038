import errno
import signal
import subprocess
import sys
import threading
import time

import pytest

from genwindow import GenwindowError
from genwindow.runs import Busy
from genwindow.runs.lock import is_locked, lock_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from genwindow.runs.lock import lock_folder
with lock_folder(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_one_at_a_time_and_the_next_one_after_it(tmp_path):
    folder = tmp_path / "new"
    assert not is_locked(folder)
    for _ in range(2):
        with lock_folder(folder):
            assert is_locked(folder)
            with pytest.raises(Busy, match="another process is working on .*/new"), lock_folder(folder, patience=0):
                raise AssertionError
        assert not is_locked(folder)


def test_who_is_patient_waits_for_the_end_of_another(tmp_path):
    ended = []

    def work():
        with lock_folder(tmp_path):
            begun.set()
            time.sleep(0.1)
            ended.append(True)

    begun = threading.Event()
    other = threading.Thread(target=work)
    other.start()
    begun.wait()
    with lock_folder(tmp_path, patience=float("inf")):
        assert ended
    other.join()


def test_a_killed_process_holds_no_lock(tmp_path):
    assert subprocess.run([sys.executable, "-c", KILLED, tmp_path]).returncode == -signal.SIGKILL
    assert not is_locked(tmp_path)
    with lock_folder(tmp_path, patience=0):
        pass


def test_rejects_places_that_cannot_be_written_or_locked(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with (
        pytest.raises(GenwindowError, match="cannot write to .*/file/run: Not a directory"),
        lock_folder(tmp_path / "file" / "run"),
    ):
        raise AssertionError

    def none_left(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none_left)
    with (
        pytest.raises(GenwindowError, match="cannot lock .*: No locks available"),
        lock_folder(tmp_path, patience=float("inf")),
    ):
        raise AssertionError
    assert not is_locked(tmp_path)
