"""A draw: random numbers that depend only on named keys, such as (seed, step), never on what was drawn before.

This is what makes resuming exact and lets curves over training share their noise.
"""

from __future__ import annotations

import hashlib

import torch


def keyed_generator(*keys: int | str) -> torch.Generator:
    """A CPU generator whose stream is a function of the keys; different keys give unrelated streams."""
    digest = hashlib.blake2b(repr(keys).encode(), digest_size=4).digest()  # the CPU generator takes 32 bits
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))
