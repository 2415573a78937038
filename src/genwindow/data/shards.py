"""A shard: a tar file of images, one of several that make a WebDataset.

Members that share a name before the first dot belong together: `7.png`, its class number in `7.cls`, and what is known
about it in `7.json`, where `group`, `patient` or `person` name its group and `label` its class. Members are read in
memory; their names are never used as paths.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.data.files import File, check_member, is_image, read_files, some
from genwindow.data.pixels import Channels
from genwindow.errors import GenwindowError, check

GROUP_KEYS = ("group", "patient", "person")
"""Names under which a set may say which images belong together."""


def shard_files(path: Path) -> list[Path]:
    """The files that `name-{000..011}.tar` stands for."""
    found = re.fullmatch(r"(.*)\{(\d+)\.\.(\d+)\}(.*\.tar)", path.name)
    check(found is not None, f"{path}: shards are named like shards-{{000..011}}.tar")
    assert found is not None
    before, first, last, after = found.groups()
    check(int(first) <= int(last) < int(first) + 100_000, f"{path}: {first}..{last} is an empty or endless range")
    names = [f"{before}{i:0{len(first)}d}{after}" for i in range(int(first), int(last) + 1)]
    missing = [name for name in names if not (path.parent / name).is_file()]
    check(not missing, f"{path.parent}: shards are missing: {some(missing)}")
    return [path.parent / name for name in names]


def read_shards(
    shards: Sequence[Path], where: str, size: int | None, channels: Channels | None
) -> tuple[NDArray[Any], list[str], NDArray[Any] | None, list[str] | None]:
    """Images, names, labels and groups of tar files; the folders of a single tar are groups where it has no other.

    Args:
        shards: the files, in order.
        where: their name, for messages.
        size: as in `load_images`.
        channels: as in `load_images`.

    Raises:
        GenwindowError: when a file is damaged, images differ in kind, only some have a class or a group, or several
            images belong to one.
    """
    files: list[File] = []
    classes: dict[str, int] = {}
    groups: dict[str, str] = {}
    for shard in shards:
        prefix = f"{shard.stem}/" if len(shards) > 1 else ""
        try:
            with tarfile.open(shard, "r:*") as archive:
                for member in archive:
                    name = member.name
                    stream = archive.extractfile(member) if member.isfile() else None
                    if stream is None or not (is_image(name) or name.endswith((".cls", ".json"))):
                        continue
                    check_member(member.size, f"{shard}: {name} ")
                    content, key = stream.read(), prefix + _key(name)
                    if name.endswith(".cls"):
                        text = content.decode(errors="replace").strip()
                        check(
                            re.fullmatch(r"\d{1,18}", text) is not None,
                            f"{shard}: {name} holds {text[:20]!r}, not a class number",
                        )
                        classes[key] = int(text)
                    elif name.endswith(".json"):
                        _note(content, f"{shard}: {name}", key, classes, groups)
                    else:
                        files.append((prefix + name, partial(io.BytesIO, content)))
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise GenwindowError(f"{shard} is not a tar archive, or it is damaged ({error})") from None
    raw, names, folders = read_files(files, where, size, channels)
    keys = [_key(name) for name in names]
    counts = Counter(keys)
    twice = [name for name, key in zip(names, keys, strict=True) if counts[key] > 1]
    check(
        not twice or not (classes or groups),
        f"{where}: {some(twice)} are several images of one key, a picture and its mask perhaps; keep one for each",
    )
    for kind, known in (("class", classes), ("group", groups)):
        missing = [name for name, key in zip(names, keys, strict=True) if key not in known]
        check(not known or not missing, f"{where}: images without a {kind}: {some(missing)}; give all of them one")
    labels = np.array([classes[key] for key in keys]) if classes else None
    return raw, names, labels, [groups[key] for key in keys] if groups else folders if len(shards) == 1 else None


def _key(name: str) -> str:
    """The name up to the first dot of its last part."""
    path = PurePosixPath(name)
    return str(path.parent / path.name.partition(".")[0])


def _note(content: bytes, what: str, key: str, classes: dict[str, int], groups: dict[str, str]) -> None:
    """Take class and group out of a JSON member."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise GenwindowError(f"{what} is no JSON") from None
    if not isinstance(found, dict):
        return
    label = found.get("label")
    if isinstance(label, int) and not isinstance(label, bool):
        classes.setdefault(key, label)
    group = next((found[name] for name in GROUP_KEYS if isinstance(found.get(name), str | int)), None)
    if group is not None:
        groups[key] = str(group)
