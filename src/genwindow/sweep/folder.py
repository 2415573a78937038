"""A sweep folder: the runs that were asked for, their folders, and what became of each.

    sweep.json     every run ever asked for here: its id and its settings
    <id>/          the run folder of each; the id, n64-0123456789, depends on the settings only
    failures/      one JSON file for each run that ended without a result, with the reason

Adding runs never renames or repeats those that are there, and several drivers may work on one folder: `sweep.json` only
grows, under a lock, and each run has a lock of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import final

from genwindow.errors import GenwindowError, check
from genwindow.files import to_json_text, write_atomically
from genwindow.runs import RunConfig
from genwindow.runs.lock import lock_folder
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

    def find(self, configs: Iterable[RunConfig]) -> list[Job]:
        """The jobs of runs that may be on the list or not; nothing is written.

        Raises:
            GenwindowError: when the list is damaged.
        """
        return self._jobs(configs, self._read() if self.exists else {})

    def add(self, configs: Iterable[RunConfig]) -> list[Job]:
        """Put runs on the list, where they are not on it yet; returns the jobs of the given runs.

        Raises:
            GenwindowError: when the folder cannot be written or is no sweep.
        """
        check(not self.path.exists() or self.path.is_dir(), f"{self.path} is a file, not a folder")
        check(not (self.path / "config.json").exists(), f"{self.path} holds a single run; choose another folder")
        with lock_folder(self.path, patience=math.inf):
            known = self._read() if self.exists else {}
            jobs = self._jobs(configs, known)
            new = {
                j.folder.name: j.config for j in jobs if known.get(j.folder.name) != j.config
            }  # or on another device
            if new or not self.exists:
                runs = {name: config.to_json() for name, config in {**known, **new}.items()}
                write_atomically(self.path / "sweep.json", to_json_text({"schema": SCHEMA, "runs": runs}))
        return jobs

    def jobs(self) -> list[Job]:
        """Every job asked for so far, in the order of asking.

        Raises:
            GenwindowError: when no sweep was begun here or its list is damaged.
        """
        check(self.exists, f"{self.path} holds no sweep (no sweep.json)")
        return [Job(config, self.path / name) for name, config in self._read().items()]

    def _jobs(self, configs: Iterable[RunConfig], known: Mapping[str, RunConfig]) -> list[Job]:
        """A run on the list keeps its name, which may be of a version that wrote 0.0 and 0 as they were given."""
        names = {run_id(config): name for name, config in known.items()}
        return [Job(config, self.path / names.get(now := run_id(config), now)) for config in configs]

    def _read(self) -> dict[str, RunConfig]:
        file = self.path / "sweep.json"
        try:
            data = json.loads(file.read_text())
            found = data["schema"]
            check(found == SCHEMA, f"it is of schema {found}; this version reads schema {SCHEMA}")
            return {str(name): RunConfig.from_json(settings) for name, settings in data["runs"].items()}
        except GenwindowError as error:
            raise GenwindowError(f"{file}: {error}") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise GenwindowError(f"{file} is no list of runs ({type(error).__name__}: {error})") from None
