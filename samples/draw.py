#!/usr/bin/env python3
"""Draws the sample pictures of `spotter demo` beside itself.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python draw.py

The same bytes in every run with the pinned versions. A digit is a few strokes (splines through
hand-set points, shaken a little), a pen turns strokes into ink, and a scene puts ink on a ground.
"""

import io
import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).resolve().parent

# Strokes in a box that is 0.7 wide and 1 high; a corner splits a stroke in two splines.
CORNER = None
DIGITS = {
    "0": [[(0.47, 0.05), (0.30, 0.06), (0.13, 0.26), (0.08, 0.55), (0.15, 0.85), (0.34, 0.97), (0.54, 0.85),
           (0.64, 0.55), (0.60, 0.23), (0.46, 0.05), (0.36, 0.04)]],
    "1": [[(0.38, 0.02), (0.36, 0.33), (0.33, 0.66), (0.31, 0.98)]],
    "2": [[(0.09, 0.26), (0.17, 0.09), (0.36, 0.02), (0.55, 0.13), (0.55, 0.35), (0.38, 0.62), (0.09, 0.94), CORNER,
           (0.09, 0.94), (0.36, 0.93), (0.70, 0.95)]],
    "3": [[(0.12, 0.13), (0.32, 0.02), (0.54, 0.12), (0.51, 0.33), (0.27, 0.46), CORNER,
           (0.27, 0.46), (0.52, 0.53), (0.61, 0.74), (0.44, 0.95), (0.20, 0.96), (0.06, 0.84)]],
    "4": [[(0.17, 0.06), (0.13, 0.32), (0.09, 0.55), CORNER, (0.09, 0.55), (0.36, 0.56), (0.68, 0.53)],
          [(0.51, 0.08), (0.49, 0.50), (0.46, 0.98)]],
    "5": [[(0.19, 0.06), (0.17, 0.25), (0.13, 0.45), CORNER, (0.13, 0.45), (0.34, 0.40), (0.54, 0.51), (0.59, 0.71),
           (0.44, 0.92), (0.22, 0.97), (0.05, 0.88)],
          [(0.19, 0.06), (0.40, 0.05), (0.63, 0.03)]],
    "6": [[(0.52, 0.03), (0.30, 0.21), (0.14, 0.48), (0.10, 0.75), (0.25, 0.96), (0.48, 0.93), (0.60, 0.75),
           (0.48, 0.57), (0.28, 0.59), (0.13, 0.74)]],
    "7": [[(0.05, 0.09), (0.34, 0.08), (0.63, 0.05), CORNER, (0.63, 0.05), (0.47, 0.36), (0.34, 0.68), (0.28, 0.98)]],
    "8": [[(0.56, 0.17), (0.42, 0.03), (0.20, 0.08), (0.15, 0.26), (0.33, 0.44), (0.55, 0.61), (0.58, 0.83), (0.38, 0.97),
           (0.15, 0.88), (0.14, 0.68), (0.34, 0.47), (0.54, 0.31), (0.56, 0.15)]],
    "9": [[(0.57, 0.16), (0.42, 0.03), (0.20, 0.10), (0.11, 0.31), (0.22, 0.49), (0.43, 0.45), (0.57, 0.20), CORNER,
           (0.57, 0.18), (0.57, 0.45), (0.53, 0.73), (0.47, 0.99)]],
}
BAR_OF_7 = [(0.25, 0.52), (0.39, 0.50), (0.54, 0.47)]


def noise(rng, width, height, grain):
    """Smooth noise in 0..1 with features of about `grain` pixels."""
    small = rng.random((max(2, math.ceil(height / grain)), max(2, math.ceil(width / grain))), dtype=np.float32)
    scaled = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(scaled), 0, 1)


def spline(points, steps=40):
    """Centripetal-like Catmull-Rom through all points."""
    p = np.array(points, dtype=np.float64)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    out = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:]):
        out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.vstack(out + [p[-2][None]])


def strokes_of(digit, rng, slant=0.0, shake=0.012, bar=False):
    strokes = []
    for stroke in DIGITS[digit] + ([BAR_OF_7] if bar else []):
        pieces, piece, shaken = [], [], {}
        for point in stroke + [CORNER]:
            if point is CORNER:
                pieces.append(spline(piece))
                piece = []
            else:
                # The two sides of a corner move together.
                moved = shaken.setdefault(point, np.array(point) + rng.normal(0, shake, 2))
                piece.append(moved)
        path = np.vstack(pieces)
        path[:, 0] += slant * (0.5 - path[:, 1])
        strokes.append(path)
    return strokes


def ink(size, box, strokes, pen, rng):
    """Coverage (0..1) of the strokes on a canvas of `size`; `box` is (left, top, height)."""
    scale = 4 if size[0] * size[1] < 200_000 else 2
    mask = Image.new("L", (size[0] * scale, size[1] * scale))
    draw = ImageDraw.Draw(mask)
    left, top, height = (v * scale for v in box)
    for path in strokes:
        xy = path * height + (left, top)
        length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
        at = np.arange(0, length[-1], max(0.5, 0.04 * pen["width"] * height))
        t = at / length[-1]
        radius = 0.5 * pen["width"] * height * pressure(t, pen, rng)
        for x, y, r in zip(np.interp(at, length, xy[:, 0]), np.interp(at, length, xy[:, 1]), radius):
            draw.ellipse((x - r, y - r, x + r, y + r), fill=255)
    mask = mask.resize(size, Image.Resampling.BOX)
    return np.asarray(mask, dtype=np.float32) / 255 * texture(size, height / scale, pen, rng)


def pressure(t, pen, rng):
    """Width along a stroke, as a share of the pen's: it swells slowly and may taper at its ends."""
    swell = 1 + pen["swell"] * np.sin(2 * np.pi * (t * rng.uniform(0.7, 1.3) + rng.random()))
    begin, end = pen["taper"]
    return swell * np.clip(0.45 + t / max(begin, 1e-6), 0, 1) * np.clip(0.25 + (1 - t) / max(end, 1e-6), 0, 1)


def texture(size, height, pen, rng):
    grain = noise(rng, *size, max(1.2, pen["grain"] * height))
    if pen["hard"]:
        # Chalk and dry pens leave specks of the ground free.
        return np.clip((grain - pen["gaps"]) * 4 + 0.5, 0.5, 1)
    return 1 - pen["gaps"] * grain


PENS = {
    "ballpoint": dict(width=0.034, swell=0.08, taper=(0.02, 0.03), grain=0.02, gaps=0.15, hard=False),
    "marker": dict(width=0.115, swell=0.05, taper=(0, 0), grain=0.2, gaps=0.12, hard=False),
    "felt": dict(width=0.075, swell=0.06, taper=(0.01, 0.03), grain=0.1, gaps=0.10, hard=False),
    "brush": dict(width=0.115, swell=0.18, taper=(0.12, 0.08), grain=0.06, gaps=0.25, hard=False),
    "chalk": dict(width=0.088, swell=0.10, taper=(0.02, 0.05), grain=0.011, gaps=0.34, hard=True),
    "pencil": dict(width=0.046, swell=0.15, taper=(0.03, 0.06), grain=0.008, gaps=0.30, hard=False),
}


def written(digit, pen, size, box, seed, slant=0.06, shake=0.012, bar=False):
    rng = np.random.Generator(np.random.PCG64(seed))
    return ink(size, box, strokes_of(digit, rng, slant, shake, bar), PENS[pen], rng), rng


def paper(size, rng, colour, grain=0.012):
    """Paper of one colour with a faint, slow unevenness."""
    base = np.ones((size[1], size[0], 1), np.float32) * np.array(colour, np.float32)
    return base * (1 - grain * noise(rng, *size, 24)[..., None])


def put(ground, colour, cover):
    return ground + (np.array(colour, np.float32) - ground) * cover[..., None]


def picture(pixels):
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def light(pixels, towards, strength, shadow=None):
    """Light that falls off towards a corner, and the soft shadow of a hand or phone."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    fall = (x / width * towards[0] + y / height * towards[1]) / (abs(towards[0]) + abs(towards[1]))
    lit = pixels * (1 - strength * np.clip(fall, 0, 1))[..., None]
    if shadow:
        polygon, depth, blur = shadow
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).polygon([(px * width, py * height) for px, py in polygon], fill=255)
        mask = np.asarray(mask.filter(ImageFilter.GaussianBlur(blur)), np.float32) / 255
        lit *= 1 - depth * mask[..., None]
    return lit


def squares(pixels, step, colour, strength):
    """Printed squares, as in a school exercise book."""
    height, width = pixels.shape[:2]
    cover = np.zeros((height, width), np.float32)
    thick = max(1, round(step / 28))
    for i in range(thick):
        cover[step // 3 + i::step, :] = strength
        cover[:, step // 2 + i::step] = strength
    return put(pixels, colour, cover)


def save(name, image, **options):
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def zero():
    size = (640, 640)
    cover, rng = written("0", "marker", size, (165, 110, 420), 10, slant=0.10)
    image = picture(put(paper(size, rng, (252, 251, 248), 0.02), (36, 72, 190), cover))
    save("0 blue marker.png", image.quantize(24, dither=Image.Dither.NONE), optimize=True)


def one():
    size = (240, 320)
    cover, rng = written("1", "ballpoint", size, (70, 50, 220), 11, slant=0.12)
    save("1.png", picture(put(paper(size, rng, (246, 246, 246), 0.015), (28, 32, 60), cover)).convert("L"), optimize=True)


def two_brush():
    size = (460, 520)
    cover, _ = written("2", "brush", size, (90, 80, 360), 12, slant=0.08)
    # Few levels of alpha, so that the file stays small.
    alpha = np.round(cover * 16) / 16
    rgba = np.zeros((size[1], size[0], 4), np.float32)
    rgba[..., :3] = np.where(alpha[..., None] > 0, (196, 28, 36), 0)
    rgba[..., 3] = alpha * 255
    save("2 red brush.png", picture(rgba), optimize=True)


def two_sixteen_bit():
    size = (180, 200)
    cover, rng = written("2", "felt", size, (45, 40, 120), 22, slant=0.15)
    # Levels that 8 bits cannot tell apart, in a range well inside 16 bits.
    level = 9000 + 42000 * (1 - cover) + 256 * np.round(4 * noise(rng, *size, 60))
    save("2 sixteen bit.png", Image.fromarray(level.astype(np.uint16)), optimize=True)


def three():
    size = (800, 600)
    cover, rng = written("3", "chalk", size, (265, 85, 430), 13, slant=0.05)
    board = paper(size, rng, (38, 58, 48)) + 10 * noise(rng, *size, 90)[..., None]
    save("3+chalk.webp", picture(put(board, (236, 236, 228), cover)), quality=72, method=6)


def four():
    size = (320, 320)
    cover, rng = written("4", "marker", size, (100, 60, 200), 14)
    image = picture(put(paper(size, rng, (255, 244, 190), 0), (20, 20, 24), cover))
    save("4.gif", image.quantize(16, dither=Image.Dither.NONE))


def four_cmyk():
    size = (420, 420)
    cover, rng = written("4", "felt", size, (130, 70, 280), 24, slant=0.12)
    image = picture(put(paper(size, rng, (236, 240, 250), 0.02), (190, 70, 10), cover))
    save("4 cmyk.jpg", image.convert("CMYK"), quality=80)


def five():
    size = (600, 800)
    cover, rng = written("5", "ballpoint", size, (160, 180, 420), 15, slant=0.06)
    image = picture(light(put(paper(size, rng, (240, 238, 230)), (24, 36, 120), cover), (0.3, 1), 0.18))
    save("fünf.jpg", image, quality=72, progressive=True, optimize=True)


def five_palette():
    size = (96, 128)
    cover, rng = written("5", "felt", size, (22, 22, 84), 25, slant=0.1)
    image = picture(put(paper(size, rng, (250, 250, 250), 0), (10, 120, 60), cover))
    save("五.png", image.quantize(8, dither=Image.Dither.NONE), optimize=True)


def six():
    size = (1050, 800)
    cover, rng = written("6", "pencil", size, (410, 170, 440), 16)
    page = squares(paper(size, rng, (240, 240, 234)), 52, (168, 190, 222), 0.7)
    page = put(page, (58, 58, 64), cover)
    page = light(page, (1, 0.5), 0.40, ([(0.0, 1.0), (0.0, 0.72), (0.5, 0.9), (0.62, 1.0)], 0.30, 60))
    save("photos/6 on squared paper.jpg", picture(page), quality=70, optimize=True)


def seven():
    size = (1224, 1632)
    cover, rng = written("7", "marker", size, (350, 420, 720), 17, bar=True)
    page = put(paper(size, rng, (236, 232, 222)), (26, 26, 34), cover)
    shade = [(1.0, 0.0), (1.0, 1.0), (0.7, 1.0), (0.86, 0.0)]
    page = light(page, (0.4, 1), 0.35, (shade, 0.35, 90))
    # A phone held upright stores the sensor's rows and the way to turn them: 6 is a quarter turn clockwise.
    turned = picture(page).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("photos/7 phone.jpg", turned, quality=62, optimize=True, exif=exif)


def eight():
    size = (120, 140)
    cover, rng = written("8", "felt", size, (26, 25, 90), 18)
    save("8.bmp", picture(put(paper(size, rng, (255, 255, 255), 0), (120, 20, 110), cover)))


def eight_small():
    cover, _ = written("8", "marker", (28, 28), (7.4, 4.5, 19), 28, slant=0.14)
    save("8 small.png", picture(cover * 255), optimize=True)


def nine():
    size = (300, 400)
    cover, rng = written("9", "felt", size, (75, 70, 260), 19, slant=0.10)
    image = picture(put(paper(size, rng, (228, 220, 200), 0.02), (40, 30, 26), cover)).convert("L")
    # Sixteen greys, as a scanner's "text" mode would store them.
    image = image.point([round(v / 17) * 17 for v in range(256)])
    save("9 scan%2Bcopy.tiff", image, compression="tiff_lzw")


def scribble():
    size = (420, 360)
    rng = np.random.Generator(np.random.PCG64(37))
    # Loops that wander to the right.
    t = np.linspace(0, 1, 40)
    angle, reach = t * 4 * 2 * np.pi, 0.42 + 0.10 * np.sin(t * 4 * 2 * np.pi * 0.31)
    x, y = 0.5 + 0.55 * np.cos(angle) * reach + (t - 0.5) * 0.5, 0.5 + reach * np.sin(angle * 1.37 + 0.4)
    points = np.stack([x, y], axis=1) + rng.normal(0, 0.09, (40, 2))
    cover = ink(size, (90, 55, 250), [spline(points)], PENS["felt"], rng)
    image = picture(put(paper(size, rng, (250, 250, 246), 0), (30, 30, 30), cover)).convert("L")
    save("scribble.png", image.quantize(16), optimize=True)


def truncated():
    size = (320, 320)
    cover, rng = written("6", "marker", size, (90, 60, 200), 31)
    whole = io.BytesIO()
    picture(put(paper(size, rng, (250, 250, 250)), (20, 90, 60), cover)).save(whole, "JPEG", quality=85)
    (HERE / "truncated.jpg").write_bytes(whole.getvalue()[:4096])


def notes():
    text = "Samples for the demo.\nThis file is plain text, whatever its name says.\n"
    (HERE / "notes.png").write_text(text, encoding="ascii", newline="\n")


def main():
    scenes = [zero, one, two_brush, two_sixteen_bit, three, four, four_cmyk, five, five_palette, six, seven, eight,
              eight_small, nine, scribble, truncated, notes]
    for scene in scenes:
        scene()
    return 0


if __name__ == "__main__":
    sys.exit(main())
