"""Argument parsing: jsonargparse with one-line errors."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from genwindow.errors import GenwindowError


def make_parser(verb: str, description: str, positional: str = "") -> ArgumentParser:
    """A parser for one verb, whose errors `parse` reports in one line."""
    usage = " ".join(filter(None, (f"genwindow {verb}", positional, "[options]")))
    prog = f"genwindow {verb}"
    return ArgumentParser(
        prog=prog, usage=usage, description=description, exit_on_error=False, print_config=None, allow_abbrev=False
    )


def add_settings(parser: ArgumentParser) -> None:
    """Every setting of a run as an option; the help of `--data` says what `data_source` makes of it."""
    from genwindow.runs.config import RunConfig

    parser.add_class_arguments(RunConfig)
    short = next(action for action in parser._actions if "--data" in action.option_strings)
    short.metavar, short.help = "SOURCE", "short for --data.source: the images"


def data_source(argument: str) -> str:
    """`--data DIR` is short for `--data.source DIR`."""
    return re.sub(r"^--data(?=$|=)", "--data.source", argument)


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse, or raise a one-line error.

    Raises:
        GenwindowError: for unknown options, wrong types and missing values.
    """
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise GenwindowError(_one_line(str(error))) from None


KINDS = {"float": "a number", "int": "a whole number", "bool": "true or false", "tuple": "a list", "NoneType": "null"}
"""How a person calls a type."""


def _one_line(message: str) -> str:
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", message).split())
    text = re.sub(r"^error: ", "", text).rstrip(".")
    text = re.sub(r"^argument (--\S+): expected one argument$", r"\1 needs a value", text)
    setting = re.match(r'Parser key "([\w.]+)": (.*)', text)
    return (text if setting is None else _setting(text, *setting.groups())) + "; see --help"


def _setting(text: str, name: str, problem: str) -> str:
    """What is wrong with a setting, in the words of a person; the parser's own where they are not known."""
    group = re.match(r"Unable to load config ['\"](.*?)['\"]", problem)
    if group is not None:
        example = f"such as --data.source {group[1]}" if name == "data" else f"as --{name}.NAME {group[1]}"
        return f"--{name} is a group of settings, not one; name the setting, {example}"
    value = re.search(r"(?:Got|Given) value: (.*)$", problem)
    wanted = re.findall(r"Expected an? (?:typing\.Literal\[(.*?)\]|<class '(\w+)'>)", problem)
    if value is None or not wanted or any(kind and kind not in KINDS for _, kind in wanted):
        return text
    words = [choices.replace("'", "") if choices else KINDS[kind] for choices, kind in wanted]
    one_of = "one of " if any(choices for choices, _ in wanted) else ""
    return f"--{name} must be {one_of}{' or '.join(words)}, got {value[1]}"


def run_folders(path: Path) -> list[Path]:
    """The run folders that a path stands for: itself, or those one level below."""
    if not path.is_dir():
        raise GenwindowError(f"{path} is no folder; give run folders, for example runs/demo")
    if (path / "config.json").is_file():
        return [path]
    inside = sorted(p.parent for p in path.glob("*/config.json"))
    if not inside:
        raise GenwindowError(f"{path} holds no run (no config.json in it or one level below)")
    return inside


def check_folder(path: str | Path, own: str) -> None:
    """Raise early where results cannot or may not be written: see `check_place`, or among things that are not ours.

    Args:
        path: of the folder, which need not exist.
        own: a file that an earlier result of the same kind has left there.

    Raises:
        GenwindowError: naming what is there.
    """
    check_place(path)
    folder = Path(path)
    strangers = sorted(p.name for p in folder.iterdir()) if folder.is_dir() and not (folder / own).is_file() else []
    if strangers:
        raise GenwindowError(
            f"--out {folder} is not empty and holds no {own} (found {', '.join(strangers[:3])}); choose another folder"
        )


def check_place(path: str | Path) -> None:
    """Raise early where a folder cannot be made or written to; nothing is made.

    Raises:
        GenwindowError: naming what is in the way: a file, or what is read-only.
    """
    folder = _no_file(path)
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not there.is_dir():
        raise GenwindowError(f"--out {folder} cannot be made: {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise GenwindowError(f"--out {folder} {'' if there == folder else f'cannot be made: {there} '}is read-only")


def writable_folder(path: str | Path) -> Path:
    """`path`, or an error when something else is there or nothing can be made there."""
    folder = _no_file(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenwindowError(f"--out {folder} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise GenwindowError(f"--out {folder} is read-only")
    return folder


def _no_file(path: str | Path) -> Path:
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise GenwindowError(f"--out {folder} is a file, not a folder")
    return folder
