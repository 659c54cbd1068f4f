#!/usr/bin/env python3
"""Draw pictures as people upload them: digits and what is no digit, on screens, paper, boards and in print.

    python render.py --mnist DIR --out pictures

Strokes are those of MNIST's training pictures (their own, or their skeletons drawn anew with pens of many widths)
and glyphs of the fonts that are installed (`fonts.txt` names Debian's packages). Each picture depends on the seed and
its number alone. `OUT/<label>/<kind>-<number>.<png|jpg>`; label 0 to 9, `x` for no digit; with --several `several`. Of MNIST's 60,000 training
pictures the last 5,000 are drawn only with --held-out.
"""

import argparse
import functools
import multiprocessing
import pathlib
import string
import subprocess

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.morphology import skeletonize

from train import HELD_OUT, read_idx

SIDE = 140  # of a glyph, in pixels
# Letters and signs that nobody takes for a digit, in print or by hand.
NO_DIGITS = "AaCcdEeFfHhJKkMmNnPpRrTtUuVvWwXx" + "#&@%?*+=<>{}ÄÆßñΔΩπψжФШ你字水月の"
KINDS = ("screen", "photo", "board", "print", "box")
# No digits at these places, or pictures instead of letters.
NO_FONTS = ("Weather", "GCHAN", "Emoji", "Symbol", "Dingbat", "opens___", "Math", "music", "D050000L")


# ---- glyphs: SIDE x SIDE, ink 1 ----

def stroked(mask: np.ndarray, rng: np.random.Generator, width: int | None = None) -> np.ndarray:
    """The skeleton of `mask`, drawn with another pen."""
    line = skeletonize(mask > 0.5).astype(np.uint8)
    width = width or int(np.exp(rng.uniform(np.log(1), np.log(22))))
    pen = cv2.getStructuringElement([cv2.MORPH_ELLIPSE, cv2.MORPH_ELLIPSE, cv2.MORPH_RECT][rng.integers(3)], (width, width))
    return cv2.GaussianBlur(cv2.dilate(line, pen).astype(np.float32), (0, 0), 0.8)


def handwritten(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An MNIST picture, larger, with its own stroke or another one."""
    large = cv2.resize(image.astype(np.float32) / 255, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    large = cv2.GaussianBlur(large, (0, 0), 2)
    if rng.random() < 0.7:
        return stroked(large, rng)
    level = rng.uniform(0.3, 0.6)
    return np.clip((large - level) * 8 + 0.5, 0, 1)


# Ways of writing that MNIST's American writers hardly used, as strokes through points of a box of 1 x 1.
CURVED, STRAIGHT = True, False
WRITTEN = {
    0: [
        [(CURVED, [(0.5, 0), (0.05, 0.5), (0.5, 1), (0.95, 0.5), (0.5, 0)]), (STRAIGHT, [(0.1, 0.95), (0.9, 0.05)])],
        [(STRAIGHT, [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)])],
    ],
    1: [
        [(STRAIGHT, [(0.2, 0.3), (0.6, 0), (0.6, 1)])],
        [(STRAIGHT, [(0.1, 0.45), (0.6, 0), (0.55, 1)])],
        [(STRAIGHT, [(0.35, 0.15), (0.6, 0), (0.5, 1)])],
        [(STRAIGHT, [(0.25, 0.25), (0.55, 0), (0.55, 1)]), (STRAIGHT, [(0.2, 1), (0.9, 1)])],
    ],
    2: [
        [(CURVED, [(0.05, 0.25), (0.5, 0), (0.95, 0.3), (0.5, 0.65), (0.05, 1)]), (STRAIGHT, [(0.05, 1), (1, 1)])],
        [(STRAIGHT, [(0, 0), (1, 0), (1, 0.5), (0, 0.5), (0, 1), (1, 1)])],
    ],
    3: [
        [(CURVED, [(0.05, 0.1), (0.5, 0), (0.9, 0.25), (0.4, 0.47)]), (CURVED, [(0.4, 0.47), (0.95, 0.75), (0.5, 1), (0, 0.88)])],
        [(STRAIGHT, [(0, 0), (1, 0), (1, 1), (0, 1)]), (STRAIGHT, [(0.15, 0.5), (1, 0.5)])],
        [(STRAIGHT, [(0, 0), (1, 0), (0.45, 0.4)]), (CURVED, [(0.45, 0.4), (1, 0.68), (0.5, 1), (0, 0.9)])],
    ],
    4: [
        [(STRAIGHT, [(0.1, 0), (0.05, 0.55), (1, 0.55)]), (STRAIGHT, [(0.8, 0.1), (0.75, 1)])],
        [(STRAIGHT, [(0.7, 1), (0.7, 0), (0, 0.7), (1, 0.7)])],
        [(STRAIGHT, [(0.5, 0), (0, 0.65), (1, 0.65)]), (STRAIGHT, [(0.65, 0.4), (0.6, 1)])],
    ],
    5: [
        [(STRAIGHT, [(0.95, 0), (0.15, 0), (0.1, 0.45)]), (CURVED, [(0.1, 0.45), (0.6, 0.38), (0.95, 0.68), (0.55, 1), (0.05, 0.9)])],
        [(STRAIGHT, [(1, 0), (0, 0), (0, 0.5), (1, 0.5), (1, 1), (0, 1)])],
    ],
    6: [
        [(CURVED, [(0.8, 0), (0.2, 0.4), (0.05, 0.75), (0.5, 1), (0.95, 0.75), (0.5, 0.5), (0.1, 0.7)])],
        [(STRAIGHT, [(1, 0), (0, 0), (0, 1), (1, 1), (1, 0.5), (0, 0.5)])],
        [(STRAIGHT, [(0, 0), (0, 1), (1, 1), (1, 0.5), (0, 0.5)])],
    ],
    7: [
        [(STRAIGHT, [(0, 0), (1, 0), (0.4, 1)])],
        [(STRAIGHT, [(0, 0), (1, 0), (0.4, 1)]), (STRAIGHT, [(0.3, 0.5), (0.95, 0.5)])],
        [(STRAIGHT, [(0, 0.2), (0, 0), (1, 0), (0.45, 1)])],
        [(STRAIGHT, [(0, 0), (1, 0), (1, 1)])],
    ],
    8: [
        [(CURVED, [(0.5, 0.48), (0.15, 0.25), (0.5, 0), (0.85, 0.25), (0.5, 0.48), (0.05, 0.75), (0.5, 1), (0.95, 0.75), (0.5, 0.48)])],
        [(STRAIGHT, [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]), (STRAIGHT, [(0, 0.5), (1, 0.5)])],
    ],
    9: [
        [(CURVED, [(0.9, 0.3), (0.5, 0), (0.1, 0.27), (0.5, 0.5), (0.9, 0.3)]), (CURVED, [(0.9, 0.25), (0.85, 0.8), (0.5, 1), (0.1, 0.92)])],
        [(CURVED, [(0.9, 0.3), (0.5, 0), (0.1, 0.27), (0.5, 0.5), (0.9, 0.3)]), (STRAIGHT, [(0.9, 0.2), (0.85, 1)])],
        [(STRAIGHT, [(1, 0.5), (0, 0.5), (0, 0), (1, 0), (1, 1), (0, 1)])],
        [(STRAIGHT, [(1, 0.5), (0, 0.5), (0, 0), (1, 0), (1, 1)])],
    ],
}


def written(digit: int, rng: np.random.Generator) -> np.ndarray:
    """One of the ways to write it, with an unsteady hand."""
    ways = WRITTEN[digit]
    width = int(np.exp(rng.uniform(np.log(1), np.log(16))))
    size = np.array([rng.uniform(0.35, 0.8), 1]) * 96
    mask = np.zeros((SIDE, SIDE), np.float32)
    for curved, points in ways[rng.integers(len(ways))]:
        points = np.array(points) + rng.normal(0, 0.045, (len(points), 2))
        drawn = splined(points) if curved else points
        mask = np.maximum(mask, lines(drawn * size + (SIDE - size) / 2, width))
    return mask


def splined(points: np.ndarray) -> np.ndarray:
    """A smooth curve through the points (Catmull-Rom)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, 12)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:])
    ]
    return np.concatenate(parts)


@functools.cache
def font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@functools.cache
def has(path: str, character: str) -> bool:
    """Whether the font draws the character, and not a box or nothing."""
    def drawn(text: str) -> bytes:
        return bytes(font(path, 32).getmask(text))

    return drawn(character) not in (b"", drawn("\U000fffff")) and any(drawn(character))


@functools.cache
def fonts() -> list[str]:
    files = subprocess.run(["fc-list", ":lang=en", "file"], capture_output=True, text=True, check=True).stdout
    paths = sorted(line.split(":")[0] for line in files.splitlines())
    usable = [p for p in paths if p.endswith((".ttf", ".otf")) and not any(no in p for no in NO_FONTS)]
    # A family with twenty cuts is one hand.
    families = {}
    for path in usable:
        families.setdefault(pathlib.Path(path).stem[:7], []).append(path)
    return [families[name] for name in sorted(families)]


def printed(character: str, rng: np.random.Generator) -> np.ndarray | None:
    families = fonts()
    family = families[rng.integers(len(families))]
    path = family[rng.integers(len(family))]
    if not has(path, character):
        return None
    image = Image.new("L", (2 * SIDE, 2 * SIDE))
    outline = int(rng.integers(2, 6)) if rng.random() < 0.06 else 0
    draw = ImageDraw.Draw(image)
    if outline:
        draw.text((SIDE, SIDE), character, 0, font(path, 120), "mm", stroke_width=outline, stroke_fill=255)
    else:
        draw.text((SIDE, SIDE), character, 255, font(path, 120), "mm")
    mask = np.asarray(image, np.float32) / 255
    return fitted(mask) if mask.any() else None


def fitted(mask: np.ndarray) -> np.ndarray:
    """Cropped to its ink and scaled into the middle of SIDE x SIDE, as MNIST's digits are."""
    rows, columns = np.flatnonzero(mask.max(1) > 0.1), np.flatnonzero(mask.max(0) > 0.1)
    ink = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = 100 / max(ink.shape)
    size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
    out = np.zeros((SIDE, SIDE), np.float32)
    y, x = (SIDE - ink.shape[0]) // 2, (SIDE - ink.shape[1]) // 2
    out[y : y + ink.shape[0], x : x + ink.shape[1]] = ink
    return out


def lines(points: np.ndarray, width: int, closed: bool = False) -> np.ndarray:
    out = np.zeros((SIDE, SIDE), np.uint8)
    cv2.polylines(out, [np.round(points).astype(np.int32)], closed, 255, width, cv2.LINE_AA)
    return out.astype(np.float32) / 255


def shape(rng: np.random.Generator) -> np.ndarray:
    """Polygons, stars, arrows, waves, spirals, scribbles."""
    width = int(rng.integers(2, 14))
    kind = rng.integers(6)
    t = np.linspace(0, 1, 160)
    middle, radius = SIDE / 2, 48
    if kind == 0:  # a polygon or a star
        corners = int(rng.choice([3, 4, 5, 6]))
        turns = np.arange(corners * 2 if rng.random() < 0.5 else corners)
        reach = np.where(turns % 2 == 0, radius, radius * rng.uniform(0.3, 0.6)) if len(turns) > corners else radius
        angle = turns * 2 * np.pi / len(turns) + rng.uniform(0, 6)
        points = np.stack([middle + reach * np.cos(angle), middle + reach * np.sin(angle)], 1)
        return lines(points + rng.normal(0, 3, points.shape), width, True)
    if kind == 1:  # an arrow
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        arrow = np.array([[-45, 0], [45, 0], [20, -22], [45, 0], [20, 22]]) @ turn.T + middle
        return lines(arrow, width)
    if kind == 2:  # a wave
        points = np.stack([20 + 100 * t, middle + rng.uniform(10, 40) * np.sin(t * rng.uniform(10, 40))], 1)
        return lines(points if rng.random() < 0.5 else points[:, ::-1], width)
    if kind == 3:  # a spiral
        angle = t * rng.uniform(14, 30)
        points = middle + (t * radius)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        return lines(points, min(width, 5))
    if kind == 4:  # a heart, or a face
        if rng.random() < 0.5:
            a = t * 2 * np.pi
            heart = [16 * np.sin(a) ** 3, -(13 * np.cos(a) - 5 * np.cos(2 * a) - 2 * np.cos(3 * a) - np.cos(4 * a))]
            return lines(middle + 3 * np.stack(heart, 1), width, True)
        out = lines(middle + radius * np.stack([np.cos(t * 6.3), np.sin(t * 6.3)], 1), min(width, 6), True)
        for x in (-17, 17):
            cv2.circle(out, (int(middle) + x, int(middle) - 14), int(rng.integers(3, 7)), 1.0, -1)
        mouth = np.stack([middle + 25 * np.cos(t * 3.14), middle + 8 + 18 * np.sin(t * 3.14)], 1)
        return np.maximum(out, lines(mouth, min(width, 6)))
    points = rng.uniform(20, 120, (int(rng.integers(7, 22)), 2))  # a scribble
    knots = np.linspace(0, 1, len(points))
    smooth = np.stack([np.interp(t, knots, points[:, i]) for i in (0, 1)], 1)
    return lines(cv2.GaussianBlur(smooth.astype(np.float32), (1, 0 * 2 + 7), 2), width)


def crossed_out(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A digit under an X or a zigzag; one stroke alone would be a slashed zero or a crossed seven."""
    width = int(rng.integers(2, 9))
    if rng.random() < 0.5:
        wobble = rng.normal(0, 6, (4, 2))
        corners = np.array([[22, 22], [118, 118], [118, 22], [22, 118]]) + wobble
        return np.maximum(np.maximum(mask, lines(corners[:2], width)), lines(corners[2:], width))
    count = int(rng.integers(5, 14))
    zigzag = np.stack([np.linspace(22, 118, count), np.where(np.arange(count) % 2, 28, 112)], 1)
    zigzag = zigzag + rng.normal(0, 5, zigzag.shape)
    return np.maximum(mask, lines(zigzag if rng.random() < 0.5 else zigzag[:, ::-1], width))


def no_digit(digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    way = rng.random()
    if way < 0.5:
        while (mask := printed(NO_DIGITS[rng.integers(len(NO_DIGITS))], rng)) is None:
            pass
        return stroked(mask, rng) if rng.random() < 0.4 else mask
    at = rng.integers(len(digits))
    mask = handwritten(digits[at], rng)
    if way < 0.75:
        return shape(rng)
    if way < 0.87:
        return crossed_out(mask, rng)
    if way < 0.94:  # over each other
        other = handwritten(digits[rng.integers(len(digits))], rng)
        return np.maximum(mask, np.roll(other, rng.integers(18, 40, 2) * rng.choice([-1, 1], 2), (0, 1)))
    while labels[at] not in (2, 3, 4, 5, 7):
        at = rng.integers(len(digits))
    return np.rot90(handwritten(digits[at], rng), rng.choice([1, 3])).copy()  # lying on its side


def several(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two or three digits side by side, of one pen or one font."""
    width = int(np.exp(rng.uniform(np.log(2), np.log(18))))
    by_hand, gap = rng.random() < 0.6, int(rng.integers(10, 40))
    row = np.zeros((SIDE, 0), np.float32)
    left = int(rng.integers(2, 4))
    while left:
        if by_hand:
            glyph = stroked(handwritten(digits[rng.integers(len(digits))], rng), rng, width)
        else:
            glyph = printed(string.digits[rng.integers(10)], rng)
        # A font may lack it, and thin ink may have no skeleton, or that of a speck.
        if glyph is None or np.flatnonzero(glyph.max(1) > 0.2).size < SIDE // 3:
            continue
        columns = np.flatnonzero(glyph.max(0) > 0.2)
        between = np.zeros((SIDE, gap if row.size else 0), np.float32)
        row = np.concatenate([row, between, glyph[:, columns[0] : columns[-1] + 1]], 1)
        left -= 1
    return fitted(row)


# ---- scenes: H x W x 3, 0..1 ----

def noise(shape: tuple[int, int], grain: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of deviation 1; `grain` in pixels."""
    small = [max(2, int(side / grain)) for side in shape]
    return cv2.resize(rng.normal(0, 1, small).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)


def ruled(paper: np.ndarray, rng: np.random.Generator) -> None:
    """Lines or squares, as printed on paper."""
    height, width = paper.shape[:2]
    colour = rng.uniform(0.3, 0.9, 3) * np.array([0.8, 0.9, 1.0])
    strength = rng.uniform(0.15, 0.7)
    step = max(5, int(max(height, width) * rng.uniform(0.05, 0.3)))
    thickness = max(1, int(max(height, width) * rng.uniform(0.001, 0.006)))
    lines_ = np.zeros((height, width), np.float32)
    start = int(rng.integers(step))
    for y in range(start, height, step):
        cv2.line(lines_, (0, y), (width, y + int(rng.normal(0, height * 0.01))), 1.0, thickness, cv2.LINE_AA)
    if rng.random() < 0.5:
        for x in range(int(rng.integers(step)), width, step):
            cv2.line(lines_, (x, 0), (x + int(rng.normal(0, width * 0.01)), height), 1.0, thickness, cv2.LINE_AA)
    paper += (colour - paper) * (lines_ * strength)[..., None]


def scene(kind: str, size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The ground, and the ink's colour."""
    grey = np.ones(3)
    if kind in ("screen", "print", "box"):
        ground = grey * rng.choice([1.0, 1.0, 0.97, 0.0]) if rng.random() < 0.75 else rng.uniform(0, 1, 3)
        light = ground.mean() > 0.5
        ink = grey * (0.0 if light else 1.0) if rng.random() < 0.6 else rng.uniform(0, 1, 3)
    elif kind == "photo":
        ground = np.clip(rng.uniform(0.6, 1.0) + rng.normal(0, 0.04, 3), 0, 1)
        ink = np.clip(rng.uniform(0, 0.35) + rng.choice([0, 0.25]) * rng.uniform(0, 1, 3), 0, 1)
    else:
        ground = np.clip(rng.uniform(0.05, 0.35) + rng.normal(0, 0.05, 3), 0, 1)
        ink = np.clip(rng.uniform(0.7, 1.0) + rng.normal(0, 0.05, 3), 0, 1)
    luma = np.array([0.299, 0.587, 0.114])
    if abs((ground - ink) @ luma) < 0.25:  # nobody could read it
        ink = grey * (0.0 if ground @ luma > 0.5 else 1.0)
    paper = np.broadcast_to(ground.astype(np.float32), (*size, 3)).copy()
    if kind in ("photo", "board"):
        paper += (noise(size, max(size) / 3, rng) * rng.uniform(0, 0.02))[..., None]
    if kind == "photo" and rng.random() < 0.45:
        ruled(paper, rng)
    return paper, ink.astype(np.float32)


def placed(mask: np.ndarray, size: tuple[int, int], kind: str, rng: np.random.Generator) -> np.ndarray:
    """The glyph somewhere on a canvas of that size, turned, sheared and seen from aside; its corners too."""
    height, width = size
    most = {"screen": 0.95, "photo": 0.9, "board": 0.7, "print": 1.25, "box": 0.62}[kind]
    scale = min(size) * rng.uniform(0.35 if kind != "screen" else 0.2, most) / 100
    scale = max(scale, 14 / 100)
    turned = 38 if rng.random() < 0.12 else 10
    angle = np.deg2rad(rng.uniform(-turned, turned))
    shear = rng.uniform(-0.15, 0.15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array([[1, shear], [0, 1]])
    turn = turn * scale * np.array([rng.uniform(0.8, 1.2), 1])
    corners = (np.array([[20, 20], [120, 20], [120, 120], [20, 120]]) - SIDE / 2) @ turn.T
    if kind == "photo":
        corners += rng.normal(0, 0.03 * scale * 100, corners.shape)
    span = corners.max(0) - corners.min(0)
    room = np.maximum(np.array([width, height]) - span, 0) / 2
    centre = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * room * (0.25 if kind in ("print", "box") else 0.95)
    source = np.array([[20, 20], [120, 20], [120, 120], [20, 120]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, (corners + centre).astype(np.float32))
    if scale < 1:
        mask = cv2.GaussianBlur(mask, (0, 0), 0.45 / scale)
    return cv2.warpPerspective(mask, matrix, (width, height), flags=cv2.INTER_LINEAR)


def boxed(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A frame around the glyph, or the cell of a table with its neighbours' lines."""
    height, width = ink.shape
    inset = np.array([width, height]) * rng.uniform(0.0, 0.12, 2)
    (left, top), (right, bottom) = inset, np.array([width, height]) - inset
    thickness = max(1, int(min(ink.shape) * rng.uniform(0.005, 0.03)))
    frame = np.zeros_like(ink)
    for a, b in [((left, 0), (left, height)), ((right, 0), (right, height)), ((0, top), (width, top)), ((0, bottom), (width, bottom))]:
        if rng.random() < 0.85:
            cv2.line(frame, [int(v) for v in a], [int(v) for v in b], float(rng.uniform(0.5, 1)), thickness, cv2.LINE_AA)
    return np.maximum(ink, frame)


def lit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uneven light, a shadow, the camera's blur and noise."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
    slope = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    light = 1 + depth * slope
    if rng.random() < 0.3:
        edge = slope - rng.uniform(-0.3, 0.3)
        light *= 1 - rng.uniform(0.1, 0.45) / (1 + np.exp(-edge * rng.uniform(15, 120)))
    image = image * light[..., None] * rng.uniform(0.6, 1.05)
    blur = rng.uniform(0, 0.006) * max(height, width)
    if blur > 0.4:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    image = image + rng.normal(0, rng.uniform(0, 0.04), image.shape)
    return image + (noise(image.shape[:2], 3, rng) * rng.uniform(0, 0.02))[..., None]


def picture(
    number: int, seed: int, digits: np.ndarray, labels: np.ndarray, of_several: bool
) -> tuple[str, str, np.ndarray, int]:
    """Label, kind, RGB or RGBA bytes, and the JPEG's quality (0: PNG)."""
    rng = np.random.default_rng([seed, number])
    kind = str(rng.choice(KINDS, p=[0.32, 0.3, 0.1, 0.14, 0.14]))
    outlier = rng.random() < 0.2
    longer = int(np.exp(rng.uniform(np.log(28), np.log(420))))
    size = (longer, longer) if rng.random() < 0.5 else tuple(int(longer * s) for s in rng.permutation([1.0, rng.uniform(0.6, 1)]))
    size = (max(size[0], 24), max(size[1], 24))
    if of_several:
        label, mask = "several", several(digits, rng)
    elif outlier:
        label = "x"
        mask = no_digit(digits, labels, rng)
        if rng.random() < 0.08:  # nothing at all, but paper, lines and light
            mask = np.zeros((SIDE, SIDE), np.float32)
    elif kind == "print" or (kind == "box" and rng.random() < 0.4):
        label = string.digits[rng.integers(10)]
        while (mask := printed(label, rng)) is None:
            pass
    else:
        at = rng.integers(len(digits))
        label = str(labels[at])
        mask = written(labels[at], rng) if rng.random() < 0.2 else handwritten(digits[at], rng)
    ink = placed(mask, size, kind, rng)
    if kind == "box":
        ink = boxed(ink, rng)
    if kind == "board":
        ink = ink * np.clip(0.85 + 0.25 * noise(size, 2, rng), 0.2, 1)
    paper, colour = scene(kind, size, rng)
    if kind == "screen" and rng.random() < 0.15:  # on nothing
        rgba = np.concatenate([np.broadcast_to(colour, paper.shape), ink[..., None]], 2)
        return label, kind, np.round(rgba.clip(0, 1) * 255).astype(np.uint8), 0
    ink = ink * rng.uniform(0.6, 1) if kind == "photo" else ink
    image = paper + (colour - paper) * ink[..., None]
    if kind in ("photo", "board") or rng.random() < 0.15:
        image = lit(image, rng)
    quality = int(rng.integers(35, 96)) if kind in ("photo", "board") or rng.random() < 0.3 else 0
    return label, kind, np.round(image.clip(0, 1) * 255).astype(np.uint8), quality


def draw(number: int) -> None:
    label, kind, pixels, quality = picture(number, draw.seed, draw.digits, draw.labels, draw.several)
    path = draw.out / label / f"{kind}-{number:07}.{'jpg' if quality else 'png'}"
    image = Image.fromarray(pixels)
    if quality:
        image.save(path, quality=quality)
    else:
        image.save(path, compress_level=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=pathlib.Path, required=True, help="folder with MNIST's four files")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=72_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="of the 5,000 pictures that do not train")
    parser.add_argument("--several", action="store_true", help="pictures of several digits, to measure with")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    part = slice(-HELD_OUT, None) if args.held_out else slice(None, -HELD_OUT)
    draw.digits = read_idx(args.mnist, "train-images-idx3-ubyte")[part]
    draw.labels = read_idx(args.mnist, "train-labels-idx1-ubyte")[part]
    draw.seed, draw.out, draw.several = args.seed, args.out, args.several
    for label in ["several"] if args.several else [*string.digits, "x"]:
        (args.out / label).mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context("fork").Pool(args.processes) as pool:
        for _ in pool.imap_unordered(draw, range(args.count), chunksize=64):
            pass


if __name__ == "__main__":
    main()
