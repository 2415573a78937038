"""A sweep folder: the runs that were asked for, their folders, and what became of each.

    sweep.json     every run ever asked for here: its id and its settings
    <id>/          the run folder of each; the id, n64-0123456789, depends on the settings only
    failures/      one JSON file for each run that ended without a result, with the reason

Adding runs never renames or repeats those that are there, and several drivers may work on one folder: `sweep.json` only
grows, under a lock, and each run has a lock of its own.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from genwindow.errors import GenwindowError, check
from genwindow.runs import RunConfig, to_json_text, write_atomically
from genwindow.sweep.jobs import Job

SCHEMA = 1


def run_id(config: RunConfig) -> str:
    """The name of a run: its n and the digest of all its settings."""
    return f"n{config.data.n}-{config.digest}"


@final
class SweepFolder:
    """Reading and writing of one sweep folder.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def exists(self) -> bool:
        """Whether a sweep was begun here."""
        return (self.path / "sweep.json").is_file()

    def job(self, config: RunConfig) -> Job:
        """The job of one run of this sweep."""
        return Job(config, self.path / run_id(config))

    def add(self, configs: Iterable[RunConfig]) -> list[Job]:
        """Put runs on the list, where they are not on it yet; returns the jobs of the given runs.

        Raises:
            GenwindowError: when the folder cannot be written or is no sweep.
        """
        wanted = list(configs)
        check(not self.path.exists() or self.path.is_dir(), f"{self.path} is a file, not a folder")
        check(not (self.path / "config.json").exists(), f"{self.path} holds a single run; choose another folder")
        with self._locked():
            known = self._read() if self.exists else {}
            new = {run_id(c): c for c in wanted if known.get(run_id(c)) != c}  # the device may be another one now
            if new or not self.exists:
                runs = {name: config.to_json() for name, config in {**known, **new}.items()}
                write_atomically(self.path / "sweep.json", to_json_text({"schema": SCHEMA, "runs": runs}))
        return [self.job(config) for config in wanted]

    def jobs(self) -> list[Job]:
        """Every job asked for so far, in the order of asking.

        Raises:
            GenwindowError: when no sweep was begun here or its list is damaged.
        """
        check(self.exists, f"{self.path} holds no sweep (no sweep.json)")
        return [Job(config, self.path / name) for name, config in self._read().items()]

    def _read(self) -> dict[str, RunConfig]:
        file = self.path / "sweep.json"
        try:
            data = json.loads(file.read_text())
            found = data["schema"]
            check(found == SCHEMA, f"{file} is of schema {found}; this version reads schema {SCHEMA}")
            return {str(name): RunConfig.from_json(settings) for name, settings in data["runs"].items()}
        except GenwindowError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise GenwindowError(f"{file} is no list of runs ({type(error).__name__}: {error})") from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = (self.path / ".lock").open("w")
        except OSError as error:
            raise GenwindowError(f"cannot write to {self.path}: {error.strerror}") from None
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
