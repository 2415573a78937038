"""Files: whole or not there, read back as they were written, or found inside an installed package.

What is written lies beside its place until it is moved there, so a reader never meets half of it. JSON has no NaN and
no infinity.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from genwindow.errors import GenwindowError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to; what is there takes the place of `path` when the block ends well.

    The folder is made where it is missing. A block that raises leaves nothing behind, and `path` as it was.

    Raises:
        OSError: when the place cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):  # where nothing can be written, nothing can be removed either
            beside.unlink()
        raise


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace `path` by `content`: a reader sees the old file or the new one.

    Raises:
        GenwindowError: when the place cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        with replacing(path) as beside:
            beside.write_bytes(data)
    except OSError as error:
        raise GenwindowError(f"cannot write {path}: {error.strerror}") from None


def packaged(package: str, inside: str) -> Path | None:
    """A file or folder inside an installed package, which is not imported; None where the package is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)), inside)


def to_json_text(data: Any) -> str:
    """Indented JSON with a closing newline; NaN and infinity are refused."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """What a JSON file holds; NaN and infinity are refused.

    Raises:
        GenwindowError: when it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise GenwindowError(f"{path} cannot be read: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


@contextmanager
def making_sense_of(path: Path) -> Iterator[None]:
    """What goes wrong while the content of a file is made sense of is said of the file, in one line.

    Raises:
        GenwindowError: for what else would be an error of looking up or of types and values.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = error if isinstance(error, GenwindowError) else type(error).__name__
        raise GenwindowError(f"{path} is damaged ({why})") from None
