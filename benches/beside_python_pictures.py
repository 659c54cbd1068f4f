"""The pictures of beside_python.py, drawn anew in each run, the same each time."""

import pathlib

import numpy as np
from PIL import Image


def distance(x, y, start, end):
    """Of each point from a line."""
    along, down = end[0] - start[0], end[1] - start[1]
    t = np.clip(((x - start[0]) * along + (y - start[1]) * down) / (along**2 + down**2), 0, 1)
    return np.hypot(x - start[0] - t * along, y - start[1] - t * down)


def seven(width, height):
    """How much of each pixel a 7, half as high as the picture, covers."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    size = height * 0.5
    left, top = width / 2 - size * 0.35, height / 2 - size / 2
    corner, foot = (left + size * 0.7, top), (left + size * 0.25, top + size)
    nearest = np.minimum(distance(x, y, (left, top), corner), distance(x, y, corner, foot))
    return np.clip(size * 0.05 + 0.5 - nearest, 0, 1)[..., None]


def photo(width, height):
    """A pen's 7 on paper in uneven, warm light, with a sensor's noise: of brightness more than of colours."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    paper = (130 + 80 * x / width - 20 * y / height)[..., None] * np.array([1, 0.97, 0.9], np.float32)
    covered = seven(width, height)
    colours = paper * (1 - covered) + np.array([30, 30, 45], np.float32) * covered
    colours += random.normal(0, 6, (height, width, 1)).astype(np.float32)
    colours += random.normal(0, 3, (height, width, 3)).astype(np.float32)
    return Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))


def drawn(width, height):
    """A 7 as a drawing program saves it: two colours and the edge between them."""
    covered = seven(width, height)
    return Image.fromarray((255 - covered * np.array([225, 215, 120], np.float32)).astype(np.uint8))


def draw(folder: pathlib.Path):
    """A dict of names and paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in ("28.png", "1.jpg", "12.jpg", "12.png", "12-drawn.png")}
    small = 255 * seven(280, 280)[..., 0]
    box = Image.fromarray(small.astype(np.uint8)).resize((40, 40), Image.Resampling.BOX).crop((6, 6, 34, 34))
    box.save(paths["28.png"])
    jpeg = {"quality": 90, "subsampling": "4:2:0"}
    photo(1200, 900).save(paths["1.jpg"], **jpeg)
    large = photo(4000, 3000)
    large.save(paths["12.jpg"], **jpeg)
    large.save(paths["12.png"])
    drawn(4000, 3000).save(paths["12-drawn.png"])
    return paths
