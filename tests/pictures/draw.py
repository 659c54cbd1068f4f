#!/usr/bin/env python3
"""Makes the small pictures that tests/pictures.rs decodes, and expected.json with the luma they must give.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python draw.py

Whatever Pillow reads is checked against Pillow here; what it does not write is packed by hand.
"""

import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 37, 29

planes, files = {}, []


# ---- what is drawn, and what it must become ----

def drawing():
    """Colours that tell channels, rows and columns apart, with soft and hard edges."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    rgb = np.stack([x * 255 / (WIDTH - 1), y * 255 / (HEIGHT - 1), 255 - (x + y) * 255 / (WIDTH + HEIGHT - 2)], axis=-1)
    rgb[4:12, 5:9] = (200, 30, 40)
    rgb[15:26, 24:27] = (20, 40, 160)
    return np.round(rgb).astype(np.uint8)


RGB = drawing()
ALPHA = np.clip(np.hypot(np.arange(WIDTH)[None] - 18, np.arange(HEIGHT)[:, None] - 14) * 22 - 60, 0, 255)
ALPHA = (255 - ALPHA).astype(np.uint8)


def luma(rgb):
    r, g, b = (rgb[..., i].astype(np.int64) for i in range(3))
    return ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16).astype(np.uint8)


def composite(grey, alpha):
    """The ground as src/decode/canvas.rs chooses it."""
    opaque = int(alpha.astype(np.int64).sum())
    light = int((grey.astype(np.int64) * alpha).sum()) * 2 > opaque * 255
    own = opaque * 100 > alpha.size * 255 * 60
    ground = 255 if light == own else 0
    a = alpha.astype(np.int64)
    return ((grey * a + ground * (255 - a) + 127) // 255).astype(np.uint8)


GREY = luma(RGB)


def expect(name, data, plane, grey, tolerance=0):
    (HERE / name).write_bytes(data)
    known = planes.setdefault(plane, grey)
    assert np.array_equal(known, grey), plane
    files.append(dict(file=name, plane=plane, tolerance=tolerance))


def by_pillow(data):
    """What Pillow makes of it, composited where it has alpha."""
    image = Image.open(io.BytesIO(data))
    image.load()
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        return composite(luma(rgba), rgba[..., 3])
    return np.asarray(image.convert("RGB").convert("L"))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


# ---- PNG ----

ADAM7 = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]


def packed(samples, depth):
    """Rows of samples (height, width, channels) as bytes, each row padded to a byte."""
    if depth == 16:
        return [row.astype(">u2").tobytes() for row in samples]
    if depth == 8:
        return [row.astype(np.uint8).tobytes() for row in samples]
    rows = []
    for row in samples:
        bits = (row.reshape(-1)[:, None] >> np.arange(depth - 1, -1, -1)) & 1
        rows.append(np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes())
    return rows


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(samples, depth, colour, interlaced=False, before=b"", after=b""):
    height, width = samples.shape[:2]
    passes = ADAM7 if interlaced else [(0, 1, 0, 1)]
    raw = b""
    for x, dx, y, dy in passes:
        part = samples[y::dy, x::dx]
        if part.shape[1]:
            raw += b"".join(b"\0" + row for row in packed(part, depth))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(raw, 9)) + after + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def palette_of(levels):
    """A palette of `levels` colours and the indices that draw with them."""
    image = Image.fromarray(RGB).quantize(levels, dither=Image.Dither.NONE)
    colours = np.array(image.getpalette()[:3 * levels], np.uint8).reshape(-1, 3)
    return colours, np.asarray(image)


def pngs():
    wide = RGB.astype(np.uint16) * 256 + 77
    grey3, rgb16 = GREY[..., None], wide
    grey16 = GREY[..., None].astype(np.uint16) * 256 + 200
    alpha = ALPHA[..., None]
    over, over_grey = composite(GREY, ALPHA), composite(GREY, ALPHA)
    cases = []
    for depth in (1, 2, 4):
        level = GREY[..., None] >> (8 - depth)
        cases.append((f"grey{depth}", level, depth, 0, b"", (level[..., 0] * (255 // (2**depth - 1))).astype(np.uint8)))
    cases += [
        ("grey8", grey3, 8, 0, b"", GREY),
        ("grey16", grey16, 16, 0, b"", GREY),
        ("rgb8", RGB, 8, 2, b"", GREY),
        ("rgb16", rgb16, 16, 2, b"", GREY),
        ("grey8a", np.concatenate([grey3, alpha], 2), 8, 4, b"", over_grey),
        ("grey16a", np.concatenate([grey16, alpha.astype(np.uint16) * 257], 2), 16, 4, b"", over_grey),
        ("rgba8", np.concatenate([RGB, alpha], 2), 8, 6, b"", over),
        ("rgba16", np.concatenate([wide, alpha.astype(np.uint16) * 257], 2), 16, 6, b"", over),
    ]
    for depth in (1, 2, 4, 8):
        colours, index = palette_of(2**depth)
        plte = chunk(b"PLTE", colours.tobytes())
        cases.append((f"palette{depth}", index[..., None], depth, 3, plte, luma(colours)[index]))
    colours, index = palette_of(16)
    clear = np.full(16, 255, np.uint8)
    clear[:5] = (0, 40, 80, 120, 200)
    before = chunk(b"PLTE", colours.tobytes()) + chunk(b"tRNS", clear.tobytes())
    cases.append(("palette4t", index[..., None], 4, 3, before, composite(luma(colours)[index], clear[index])))
    key = int(GREY[14, 18])
    cases.append(("grey8t", grey3, 8, 0, chunk(b"tRNS", struct.pack(">H", key)),
                  composite(GREY, np.where(GREY == key, 0, 255).astype(np.uint8))))
    red = (RGB == (200, 30, 40)).all(axis=2)
    cases.append(("rgb8t", RGB, 8, 2, chunk(b"tRNS", struct.pack(">HHH", 200, 30, 40)),
                  composite(GREY, np.where(red, 0, 255).astype(np.uint8))))
    for name, samples, depth, colour, before, grey in cases:
        for interlaced in (False, True):
            data = png(samples, depth, colour, interlaced, before)
            if depth < 16 and name != "grey8t":
                assert np.array_equal(by_pillow(data), grey), name
            expect(f"{name}{'-interlaced' if interlaced else ''}.png", data, f"png {name}", grey)


# ---- JPEG ----

def jpegs():
    image = Image.fromarray(RGB)

    def y_of(data):
        reader = Image.open(io.BytesIO(data))
        reader.draft("L", reader.size)
        assert reader.mode == "L"
        return np.asarray(reader)

    for name, options in {
        "444": dict(subsampling=0), "422": dict(subsampling=1), "420": dict(subsampling=2),
        "444-progressive": dict(subsampling=0, progressive=True),
        "422-progressive": dict(subsampling=1, progressive=True),
        "420-progressive": dict(subsampling=2, progressive=True),
        "420-restarts": dict(subsampling=2, restart_marker_rows=1),
        "420-progressive-restarts": dict(subsampling=2, progressive=True, restart_marker_blocks=2),
    }.items():
        data = saved(image, "JPEG", quality=90, **options)
        expect(f"{name}.jpg", data, f"jpeg {name}", y_of(data), 1)
    for name, options in {"grey": {}, "grey-progressive": dict(progressive=True)}.items():
        data = saved(Image.fromarray(GREY), "JPEG", quality=90, **options)
        expect(f"{name}.jpg", data, f"jpeg {name}", by_pillow(data), 1)
    data = saved(image, "JPEG", quality=90, keep_rgb=True, subsampling=0)
    expect("rgb.jpg", data, "jpeg rgb", by_pillow(data), 2)
    for name, options in {"cmyk": {}, "cmyk-progressive": dict(progressive=True)}.items():
        data = saved(image.convert("CMYK"), "JPEG", quality=90, **options)
        expect(f"{name}.jpg", data, f"jpeg {name}", by_pillow(data), 3)
    # The same samples read as YCCK: the transform byte of the Adobe segment says so.
    data = bytearray(saved(image.convert("CMYK"), "JPEG", quality=90))
    data[data.index(b"Adobe") + 11] = 2
    expect("ycck.jpg", bytes(data), "jpeg ycck", by_pillow(bytes(data)), 4)


# ---- GIF ----

def lzw(indices):
    """LZW for GIF that never grows its codes: a clear code before the table would."""
    bits, count = 0, 0
    codes = []
    for i, index in enumerate(indices):
        if i % 250 == 0:
            codes.append(256)
        codes.append(int(index))
    for code in codes + [257]:
        bits |= code << count
        count += 9
    data = bits.to_bytes((count + 7) // 8, "little")
    return b"\x08" + b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255)) + b"\0"


def gif(screen, frames, colours):
    """Frames are (left, top, indices, transparent index or None, interlaced, local palette)."""
    table = colours.tobytes().ljust(768, b"\0")
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, 0xf7, 0, 0) + table
    for left, top, indices, transparent, interlaced, local in frames:
        if transparent is not None:
            out += b"\x21\xf9\x04" + struct.pack("<BHB", 1, 10, transparent) + b"\0"
        height, width = indices.shape
        flags = (0x40 if interlaced else 0) | (0x87 if local is not None else 0)
        out += b"\x2c" + struct.pack("<HHHHB", left, top, width, height, flags)
        out += local.tobytes().ljust(768, b"\0") if local is not None else b""
        rows = [i for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for i in range(first, height, step)]
        out += lzw((indices[rows] if interlaced else indices).reshape(-1))
    return out + b"\x3b"


def gifs():
    colours, index = palette_of(64)
    grey = luma(colours)[index]
    plain = gif((WIDTH, HEIGHT), [(0, 0, index, None, False, None)], colours)
    assert np.array_equal(by_pillow(plain), grey)
    expect("plain.gif", plain, "gif plain", grey)
    interlaced = gif((WIDTH, HEIGHT), [(0, 0, index, None, True, None)], colours)
    assert np.array_equal(by_pillow(interlaced), grey)
    expect("interlaced.gif", interlaced, "gif plain", grey)
    local = gif((WIDTH, HEIGHT), [(0, 0, index, None, False, colours)], colours[::-1].copy())
    expect("local.gif", local, "gif plain", grey)
    image = Image.fromarray(index).convert("P")
    image.putpalette(colours.tobytes())
    other = Image.new("P", image.size, 3)
    other.putpalette(colours.tobytes())
    data = saved(image, "GIF", save_all=True, append_images=[other, image], duration=50)
    expect("animated.gif", data, "gif plain", by_pillow(data))
    key = int(index[8, 6])
    see = np.where(index == key, 0, 255).astype(np.uint8)
    data = gif((WIDTH, HEIGHT), [(0, 0, index, key, False, None)], colours)
    assert np.array_equal(by_pillow(data), composite(grey, see))
    expect("transparent.gif", data, "gif transparent", composite(grey, see))
    canvas, cover = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    canvas[6:20, 9:30], cover[6:20, 9:30] = grey[6:20, 9:30], 255
    data = gif((WIDTH, HEIGHT), [(9, 6, index[6:20, 9:30], None, False, None)], colours)
    expect("offset.gif", data, "gif offset", composite(canvas, cover))
    data = gif((4, 4), [(0, 0, index, None, False, None)], colours)
    expect("small-screen.gif", data, "gif plain", grey)


# ---- WebP ----

def riff(*chunks):
    body = b"WEBP" + b"".join(n + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for n, b in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def only_chunk(data):
    """Name and payload of the only chunk of a simple WebP file."""
    return data[12:16], data[20:20 + struct.unpack("<I", data[16:20])[0]]


def three(value):
    return struct.pack("<I", value)[:3]


def webps():
    image, rgba = Image.fromarray(RGB), Image.fromarray(np.dstack([RGB, ALPHA]))
    lossless = saved(image, "WEBP", lossless=True)
    assert np.array_equal(by_pillow(lossless), GREY)
    expect("lossless.webp", lossless, "rgb", GREY)
    for name, options in {
        "lossless-alpha": dict(lossless=True, exact=True), "lossy-alpha": dict(quality=90, alpha_quality=100),
        "lossy-alpha-coarse": dict(quality=90, alpha_quality=40), "lossy-alpha-fast": dict(quality=80, method=0),
    }.items():
        data = saved(rgba, "WEBP", **options)
        expect(f"{name}.webp", data, f"webp {name}", by_pillow(data), 1 if "lossless" in name else 2)
    data = saved(image, "WEBP", quality=90)
    expect("lossy.webp", data, "webp lossy", by_pillow(data), 2)
    blank = Image.new("RGB", image.size, "white")
    data = saved(image, "WEBP", save_all=True, append_images=[blank, image], lossless=True, duration=50)
    expect("animated.webp", data, "rgb", GREY)
    data = saved(image, "WEBP", save_all=True, append_images=[blank, image], quality=90, duration=50)
    expect("animated-lossy.webp", data, "webp animated-lossy", by_pillow(data), 2)
    part = saved(Image.fromarray(RGB[6:20, 8:30]), "WEBP", lossless=True)
    name, body = only_chunk(part)
    body += b"\0" * (len(body) % 2)
    frame = three(4) + three(3) + three(21) + three(13) + three(50) + b"\0" + name + struct.pack("<I", len(body)) + body
    head = bytes([0x12, 0, 0, 0]) + three(WIDTH - 1) + three(HEIGHT - 1)
    data = riff((b"VP8X", head), (b"ANIM", b"\0" * 6), (b"ANMF", frame))
    canvas, cover = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    canvas[6:20, 8:30], cover[6:20, 8:30] = GREY[6:20, 8:30], 255
    assert np.array_equal(by_pillow(data), composite(canvas, cover))
    expect("animated-offset.webp", data, "webp offset", composite(canvas, cover))
    raw = saved(image, "WEBP", quality=90)
    for filtering in range(4):
        # Raw alpha under each filter, over the lossy colours.
        left = np.pad(ALPHA, ((0, 0), (1, 0)))[:, :-1].astype(int)
        above = np.pad(ALPHA, ((1, 0), (0, 0)))[:-1].astype(int)
        corner = np.pad(ALPHA, ((1, 0), (1, 0)))[:-1, :-1].astype(int)
        horizontal, vertical, gradient = left.copy(), above.copy(), np.clip(left + above - corner, 0, 255)
        horizontal[:, 0], vertical[0] = above[:, 0], left[0]
        gradient[0], gradient[:, 0] = left[0], above[:, 0]
        guess = [np.zeros_like(left), horizontal, vertical, gradient][filtering]
        plane = ((ALPHA.astype(int) - guess) & 255).astype(np.uint8)
        head = bytes([0x10, 0, 0, 0]) + three(WIDTH - 1) + three(HEIGHT - 1)
        data = riff((b"VP8X", head), (b"ALPH", bytes([filtering << 2]) + plane.tobytes()), only_chunk(raw))
        expect(f"alpha-filter-{filtering}.webp", data, "webp raw alpha", by_pillow(data), 2)


# ---- BMP ----

def bmp(bits, rows, colours=b"", compression=0, masks=b"", top_down=False):
    data = b"".join(rows)
    offset = 14 + 40 + len(masks) + len(colours)
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, -HEIGHT if top_down else HEIGHT, 1, bits, compression, len(data),
                       2835, 2835, len(colours) // 4, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + head + masks + colours + data


def padded(row):
    return row + b"\0" * (-len(row) % 4)


def bmps():
    image = Image.fromarray(RGB)
    for name, picture in {"rgb24": image, "grey8": Image.fromarray(GREY)}.items():
        expect(f"{name}.bmp", saved(picture, "BMP"), "rgb", GREY)
    two = image.convert("1", dither=Image.Dither.NONE)
    expect("one1.bmp", saved(two, "BMP"), "bmp one1", np.asarray(two.convert("L")))
    colours, index = palette_of(16)
    table = b"".join(bytes([*c[::-1], 0]) for c in colours)
    grey = luma(colours)[index]
    rows = [padded(row) for row in packed(index[::-1, :, None], 4)]
    expect("palette4.bmp", bmp(4, rows, table), "bmp palette4", grey)
    rows = [padded(row) for row in packed(index[..., None], 4)]
    expect("palette4-top-down.bmp", bmp(4, rows, table, top_down=True), "bmp palette4", grey)

    def runs(row):
        out, i = b"", 0
        while i < len(row):
            n = 1
            while i + n < len(row) and row[i + n] == row[i] and n < 255:
                n += 1
            out, i = out + bytes([n, row[i]]), i + n
        return out

    rows = [runs(row) + b"\0\0" for row in index[::-1]]
    rows[-1] = rows[-1][:-2] + b"\0\x01"
    data = bmp(8, rows, table, compression=1)
    assert np.array_equal(by_pillow(data), grey)
    expect("rle8.bmp", data, "bmp palette4", grey)
    rows = [b"".join(bytes([1, v << 4]) for v in row) + b"\0\0" for row in index[::-1]]
    rows[-1] = rows[-1][:-2] + b"\0\x01"
    expect("rle4.bmp", bmp(4, rows, table, compression=2), "bmp palette4", grey)
    five = RGB.astype(np.uint16) >> (3, 2, 3)
    words = (five[..., 0] << 11 | five[..., 1] << 5 | five[..., 2]).astype("<u2")
    masks = struct.pack("<III", 0xf800, 0x7e0, 0x1f)
    data = bmp(16, [padded(row.tobytes()) for row in words[::-1]], masks=masks, compression=3)
    expect("rgb565.bmp", data, "bmp rgb565", by_pillow(data), 1)
    bgrx = np.dstack([RGB[..., ::-1], np.zeros_like(GREY)])
    expect("rgb32.bmp", bmp(32, [row.tobytes() for row in bgrx[::-1]]), "rgb", GREY)


# ---- TIFF ----

def tiff(samples, depth, photometric, order="<", tile=None, rows=7, big=False, pack=lambda b: b, compression=1, **tags):
    """`tags` are further tags by number, as t338=[...]."""
    height, width, count = samples.shape
    kind = "u2" if depth == 16 else "u1"

    def data_of(part):
        if depth < 8:
            return pack(b"".join(packed(part, depth)))
        return pack(part.astype(order + kind).tobytes())

    if tile:
        padded_samples = np.pad(samples, ((0, -height % tile), (0, -width % tile), (0, 0)), mode="edge")
        chunks = [data_of(padded_samples[y:y + tile, x:x + tile])
                  for y in range(0, height, tile) for x in range(0, width, tile)]
    else:
        chunks = [data_of(samples[y:y + rows]) for y in range(0, height, rows)]
    at, offsets = (16 if big else 8), []
    body = b""
    for part in chunks:
        offsets.append(at + len(body))
        body += part
    body += b"\0" * (len(body) % 2)
    entries = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [depth] * count), 259: ("H", [compression]),
               262: ("H", [photometric]), 277: ("H", [count])}
    entries |= {int(k[1:]): ("H", list(v)) for k, v in tags.items()}
    lengths = [len(part) for part in chunks]
    if tile:
        entries |= {322: ("H", [tile]), 323: ("H", [tile]), 324: ("I", offsets), 325: ("I", lengths)}
    else:
        entries |= {273: ("I", offsets), 278: ("I", [rows]), 279: ("I", lengths)}
    inline, pointer = (8, "Q") if big else (4, "I")
    directory_at = at + len(body)
    size = (8 + 20 * len(entries) + 8) if big else (2 + 12 * len(entries) + 4)
    extra, directory = b"", struct.pack(order + ("Q" if big else "H"), len(entries))
    for tag, (code, values) in sorted(entries.items()):
        value = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(value) > inline:
            value, extra = struct.pack(order + pointer, directory_at + size + len(extra)), extra + value + b"\0" * (len(value) % 2)
        directory += struct.pack(order + "HH" + pointer, tag, {"H": 3, "I": 4}[code], len(values)) + value.ljust(inline, b"\0")
    directory += struct.pack(order + pointer, 0)
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(order + "HHHQ", 43, 8, 0, directory_at) if big else struct.pack(order + "HI", 42, directory_at)
    return mark + head + body + directory + extra


def tiffs():
    image = Image.fromarray(RGB)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        for mode in ("L", "RGB"):
            picture = image if mode == "RGB" else Image.fromarray(GREY)
            data = saved(picture, "TIFF", compression=compression)
            expect(f"{mode.lower()}-{compression.removeprefix('tiff_')}.tif", data, "rgb", GREY)
    two = image.convert("1", dither=Image.Dither.NONE)
    for compression in ("raw", "group4"):
        expect(f"one-{compression}.tif", saved(two, "TIFF", compression=compression), "tiff one", np.asarray(two.convert("L")))
    data = saved(image, "TIFF", compression="jpeg", quality=90)
    expect("jpeg.tif", data, "tiff jpeg", by_pillow(data), 4)
    data = saved(Image.fromarray(GREY), "TIFF", compression="jpeg", quality=90)
    expect("grey-jpeg.tif", data, "tiff grey-jpeg", by_pillow(data), 1)
    data = saved(image.convert("CMYK"), "TIFF", compression="tiff_lzw")
    expect("cmyk.tif", data, "rgb", by_pillow(data), 1)
    rgba = np.dstack([RGB, ALPHA])
    over = composite(GREY, ALPHA)
    expect("rgba-lzw.tif", saved(Image.fromarray(rgba), "TIFF", compression="tiff_lzw"), "png rgba8", over)
    expect("grey-alpha.tif", tiff(np.dstack([GREY, ALPHA]), 8, 1, t338=[2]), "png rgba8", over)
    expect("rgb16-big-endian.tif", tiff(RGB.astype(np.uint16) * 257, 16, 2, order=">"), "rgb", GREY)
    expect("rgba16.tif", tiff(rgba.astype(np.uint16) * 257, 16, 2, t338=[2], pack=zlib.compress, compression=8), "png rgba8", over)
    expect("grey16.tif", tiff(GREY[..., None].astype(np.uint16) * 256 + 9, 16, 1), "rgb", GREY)
    expect("tiles.tif", tiff(RGB, 8, 2, tile=16), "rgb", GREY)
    expect("tiles-deflate-big-endian.tif", tiff(RGB, 8, 2, tile=16, order=">", pack=zlib.compress, compression=8), "rgb", GREY)
    expect("bigtiff.tif", tiff(RGB, 8, 2, big=True), "rgb", GREY)
    expect("bigtiff-big-endian.tif", tiff(RGB, 8, 2, big=True, order=">"), "rgb", GREY)
    expect("white-is-zero.tif", tiff(255 - GREY[..., None], 8, 0), "rgb", GREY)
    four = GREY[..., None] >> 4
    expect("grey4.tif", tiff(four, 4, 1), "png grey4", (four[..., 0] * 17).astype(np.uint8))
    for depth in (1, 4, 8):
        colours, index = palette_of(2**depth)
        table = (colours.T.astype(np.uint16) * 257).reshape(-1)
        data = tiff(index[..., None], depth, 3, t320=table)
        assert np.array_equal(by_pillow(data), luma(colours)[index]) or depth == 1
        expect(f"palette{depth}.tif", data, f"png palette{depth}", luma(colours)[index])
    thick = np.where(ALPHA[..., None] > 0, np.round(RGB * (ALPHA[..., None] / 255.0)), 0).astype(np.uint8)
    data = tiff(np.dstack([thick, ALPHA]), 8, 2, t338=[1])
    expect("associated-alpha.tif", data, "tiff associated", by_pillow(data), 2)


# ---- the eight ways up ----

TURNS = [None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
         Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270]


def orientations():
    for value, turn in enumerate(TURNS, 1):
        stored = Image.fromarray(RGB) if turn is None else Image.fromarray(RGB).transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = value
        block = exif.tobytes()
        expect(f"orientation-{value}.jpg", saved(stored, "JPEG", quality=97, subsampling=0, exif=exif), "rgb", GREY, 12)
        body = block.removeprefix(b"Exif\0\0")
        where = dict(before=chunk(b"eXIf", body)) if value % 2 else dict(after=chunk(b"eXIf", body))
        expect(f"orientation-{value}.png", png(np.asarray(stored), 8, 2, **where), "rgb", GREY)
        expect(f"orientation-{value}.webp", saved(stored, "WEBP", lossless=True, exif=block), "rgb", GREY)
        expect(f"orientation-{value}.tif", tiff(np.asarray(stored), 8, 2, t274=[value]), "rgb", GREY)


def main():
    for old in HERE.glob("*.*"):
        if old.suffix not in (".py", ".txt"):
            old.unlink()
    planes["rgb"] = GREY
    for part in (pngs, jpegs, gifs, webps, bmps, tiffs, orientations):
        part()
    rows = {name: dict(width=p.shape[1], height=p.shape[0], luma=p.tobytes().hex()) for name, p in planes.items()}
    text = json.dumps(dict(planes=rows, files=files), indent=0)
    (HERE / "expected.json").write_text(text + "\n", encoding="ascii", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
