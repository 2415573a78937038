"""Copies planted among real images: what every kind does to an image."""

import io

import numpy as np
from PIL import Image


def shifted(images, dy, dx):
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    height, width = images.shape[2:]
    return padded[:, :, 2 - dy : 2 - dy + height, 2 - dx : 2 - dx + width]


def encoded(images, **options):
    made = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(np.round((image[0] + 1) * 127.5).astype(np.uint8)).save(buffer, **options)
        made.append(np.asarray(Image.open(buffer), dtype=np.float32)[None] / 127.5 - 1)
    return np.stack(made)


def brighter(images, factor):
    return np.clip((images + 1) * factor - 1, -1, 1)


SMALL = {
    "exact": lambda x: x,
    "noise of 2 %": lambda x: np.clip(x + np.random.default_rng(1).normal(0, 0.04, x.shape), -1, 1),
    "mirrored": lambda x: x[..., ::-1],
    "brighter": lambda x: brighter(x, 1.1),
    "darker": lambda x: brighter(x, 0.9),
}

KINDS = {
    **SMALL,
    "8 bits": lambda x: encoded(x, format="PNG"),
    "JPEG 75": lambda x: encoded(x, format="JPEG", quality=75),
    "shifted by 1": lambda x: shifted(x, 1, -1),
    "shifted by 2": lambda x: shifted(x, 2, 0),
    "shifted by 2 both ways": lambda x: shifted(x, -2, 2),
}
