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
    return ArgumentParser(prog=prog, usage=usage, description=description, exit_on_error=False, print_config=None)


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse, or raise a one-line error.

    Raises:
        GenwindowError: for unknown options, wrong types and missing values.
    """
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise GenwindowError(_one_line(str(error))) from None


def _one_line(message: str) -> str:
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", message).split())
    return re.sub(r"^error: ", "", text).rstrip(".") + "; see --help"


def writable_folder(path: str | Path) -> Path:
    """`path`, or an error when something else is there or nothing can be made there."""
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise GenwindowError(f"--out {folder} is a file, not a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenwindowError(f"--out {folder} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise GenwindowError(f"--out {folder} is read-only")
    return folder
