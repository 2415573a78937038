"""A study: an experiment whose models are no diffusion runs; each is trained in one go, a case, and its answer kept.

OUT/SCALE/NAME/cases/   one JSON file for each case, named by its settings: what is there is not computed again
OUT/SCALE/NAME/         summary.json, figure.png, report.html
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from genwindow.errors import GenwindowError, check, check_choice
from genwindow.experiments.experiment import SMOKE, Finding
from genwindow.experiments.settings import SCALES, Scale
from genwindow.report import StudyPage, Tile, png, write_study
from genwindow.runs import plain, to_json_text, write_atomically


@dataclass(frozen=True, eq=False)
class Case:
    """One model, trained.

    Attributes:
        settings: a frozen dataclass of plain values.
        result: plain JSON, what the settings gave.
        seconds: what it took.
    """

    settings: Any
    result: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What a study has found, and what belongs on its page.

    Attributes:
        finding: summary, sentences, figure.
        rows: of the table, all with the same columns.
        tiles: numbers at the head of the page.
    """

    finding: Finding
    rows: tuple[dict[str, str], ...]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Study:
    """One experiment.

    Attributes:
        name: on the command line.
        title: heading of its page.
        claim: what it tests, in a sentence.
        settings: of the cases at a scale: frozen dataclasses of one type.
        compute: trains one case; a function of a module, so that another process can be told its name.
        analyse: what the cases show.
        limits: what they do not, for the page.
    """

    name: str
    title: str
    claim: str
    settings: Callable[[Scale], Sequence[Any]]
    compute: Callable[[Any], dict[str, Any]]
    analyse: Callable[[Sequence[Case]], Outcome]
    limits: tuple[str, ...]

    def cases(self, scale: Scale, device: str | None = None) -> list[Any]:
        """Settings of the cases, on another device where they have one."""
        check_choice("scale", scale, SCALES)
        found = list(self.settings(scale))
        if device is not None:
            known = all("device" in {field.name for field in fields(one)} for one in found)
            check(known, f"{self.name} runs on the processor only; leave --device out")
            found = [replace(one, device=device) for one in found]
        return found


def digest(settings: Any) -> str:
    """Ten hexadecimal digits that name the settings of a case."""
    return hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode()).hexdigest()[:10]


def run_study(
    study: Study,
    scale: Scale,
    out: Path,
    *,
    workers: int = 1,
    device: str | None = None,
    on_progress: Callable[[float, str], None] = lambda done, note: None,
) -> Finding:
    """Train the cases that are not kept yet, analyse, and write everything.

    Args:
        study: the experiment.
        scale: of its cases.
        out: folder of all experiments.
        workers: processes; 1 trains here.
        device: instead of the scale's own.
        on_progress: called with the share of cases done, and a note.

    Raises:
        GenwindowError: when a case fails, naming its settings, or a kept answer cannot be read.
    """
    wanted = study.cases(scale, device)
    folder = out / scale / study.name
    places = [folder / "cases" / f"{digest(one)}.json" for one in wanted]
    kept = {place: case for place, one in zip(places, wanted, strict=True) if (case := _read(place, one)) is not None}
    missing = [(place, one) for place, one in zip(places, wanted, strict=True) if place not in kept]
    on_progress(len(kept) / len(wanted), f"{len(kept)} of {len(wanted)}")
    for place, case in _computed(study, missing, workers):
        write_atomically(place, to_json_text({"settings": asdict(case.settings), "result": case.result,
                                              "seconds": case.seconds}))  # fmt: skip
        kept[place] = case
        on_progress(len(kept) / len(wanted), f"{len(kept)} of {len(wanted)}")
    cases = [kept[place] for place in places]
    found = study.analyse(cases)
    summary: dict[str, Any] = {
        "experiment": study.name,
        "scale": scale,
        "claim": study.claim,
        "sentences": list(found.finding.sentences),
        "command": f"genwindow reproduce {study.name} --scale {scale}",
        "cases": [place.name for place in places],
        "seconds": sum(case.seconds for case in cases),
        "found": found.finding.summary,
    }
    write_atomically(folder / "summary.json", to_json_text(summary))
    png(found.finding.figure, folder / "figure.png", dpi=120)
    write_study(folder / "report.html", _page(study, cases, found, scale))
    return found.finding


def varying_settings(cases: Sequence[Any]) -> dict[str, list[str]]:
    """The settings in which cases differ, each with its value in every one of them."""
    tables = [asdict(one) for one in cases]
    columns = {name: [plain(table[name]) for table in tables] for name in tables[0]}
    return {name: values for name, values in columns.items() if len(set(values)) > 1}


def _read(place: Path, settings: Any) -> Case | None:
    if not place.is_file():
        return None
    try:
        data = json.loads(place.read_text())
        return Case(settings, dict(data["result"]), float(data["seconds"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GenwindowError(f"{place} cannot be read ({error}); remove it to compute this case again") from None


def _timed(compute: Callable[[Any], dict[str, Any]], settings: Any) -> Case:
    began = time.monotonic()
    try:
        result = compute(settings)
    except GenwindowError as error:
        raise GenwindowError(f"{error} (settings: {asdict(settings)})") from None
    return Case(settings, result, time.monotonic() - began)


def _computed(study: Study, missing: Sequence[tuple[Path, Any]], workers: int) -> Iterator[tuple[Path, Case]]:
    if workers == 1 or len(missing) < 2:
        for place, settings in missing:
            yield place, _timed(study.compute, settings)
        return
    pool = ProcessPoolExecutor(min(workers, len(missing)), multiprocessing.get_context("spawn"), _one_thread)
    try:
        waiting: dict[Future[Case], Path] = {
            pool.submit(_timed, study.compute, settings): place for place, settings in missing
        }
        for done in as_completed(waiting):
            yield waiting[done], done.result()
    except BrokenProcessPool:
        raise GenwindowError("a process was killed; the same command goes on with the cases not done") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_thread() -> None:
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")


def _page(study: Study, cases: Sequence[Case], found: Outcome, scale: Scale) -> StudyPage:
    first, *rest = (SMOKE,) * (scale == "smoke") + found.finding.sentences
    tables = [asdict(case.settings) for case in cases]
    shared = {name: " ".join(dict.fromkeys(plain(table[name]) for table in tables)) for name in tables[0]}
    seconds = sum(case.seconds for case in cases)
    return StudyPage(
        study.title,
        first,
        ((found.finding.figure, found.finding.caption),),
        found.tiles,
        found.rows,
        (f"The claim: {study.claim}", *rest),
        study.limits,
        {**shared, "models trained": str(len(cases)), "processor seconds": f"{seconds:.0f}"},
    )
