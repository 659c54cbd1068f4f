#!/usr/bin/env python3
"""Draws tests/pictures/hostile/: one small file for each known way to ask a decoder for too much.

    python3 tests/pictures/hostile.py

Only the standard library is needed. tests/hostile/bombs.rs says what becomes of each file; what would not be small is
made there. The EXIF blocks alone are what the fuzzer begins with (fuzz/corpus/exif).
"""

import struct
import zlib
from pathlib import Path

OUT = Path(__file__).parent / "hostile"
BLOCKS = Path(__file__).parents[2] / "fuzz" / "corpus" / "exif"
MEGABYTES = 20


def be(value, count=4):
    return value.to_bytes(count, "big")


def le(value, count=4):
    return value.to_bytes(count, "little")


# PNG

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name, body=b""):
    return be(len(body)) + name + body + be(zlib.crc32(name + body))


def header(width, height, depth=8, colour=0, interlaced=0):
    return chunk(b"IHDR", be(width) + be(height) + bytes([depth, colour, 0, 0, interlaced]))


def grey(width, height):
    return zlib.compress((b"\0" + b"\x7f" * width) * height, 9)


def zeros(megabytes=MEGABYTES):
    return zlib.compress(bytes(megabytes * 1_000_000), 9)


def png(*chunks, head=header(9, 9), end=chunk(b"IEND")):
    return SIGNATURE + head + b"".join(chunks) + end


def pngs():
    pixels = chunk(b"IDAT", grey(9, 9))
    yield "dimensions.png", png(pixels, head=header(2**31 - 1, 2**31 - 1))
    yield "one-side.png", png(pixels, head=header(1, 2**31 - 1))
    yield "inflates.png", png(chunk(b"IDAT", zeros()))
    yield "interlaced-16-bit.png", png(chunk(b"IDAT", zeros(1)), head=header(60_000, 60_000, 16, 6, 1))
    yield "interlaced-one-wide.png", png(chunk(b"IDAT", zlib.compress(bytes(2 * 20_000))), head=header(1, 20_000, interlaced=1))
    yield "text.png", png(chunk(b"zTXt", b"k\0\0" + zeros()), chunk(b"iTXt", b"k\0\1\0\0\0" + zeros(1)), pixels)
    yield "profile.png", png(chunk(b"iCCP", b"k\0\0" + zeros()), pixels)
    frame = chunk(b"fcTL", be(0) + be(9) + be(9) + be(0) * 2 + be(1, 2) * 2 + b"\0\0")
    more = b"".join(
        chunk(b"fcTL", be(2 * i + 1) + be(9) + be(9) + be(0) * 2 + be(1, 2) * 2 + b"\0\0")
        + chunk(b"fdAT", be(2 * i + 2) + grey(9, 9))
        for i in range(300)
    )
    yield "frames.png", png(chunk(b"acTL", be(2**31 - 1) + be(0)), frame, pixels, more)
    yield "idat-in-bytes.png", png(*[chunk(b"IDAT", bytes([byte])) for byte in grey(9, 9)])
    yield "empty-chunks.png", png(*[chunk(b"teSt")] * 2_000, pixels)
    yield "chunk-of-4-gb.png", SIGNATURE + header(9, 9) + be(2**32 - 1) + b"IDAT" + grey(9, 9)
    yield "no-end.png", png(pixels, end=b"")
    yield "header-twice.png", png(header(60_000, 60_000), pixels)
    yield "palette-of-none.png", png(chunk(b"PLTE"), pixels, head=header(9, 9, colour=3))


# GIF


def gif(width, height, *blocks, end=b"\x3b"):
    return b"GIF89a" + le(width, 2) + le(height, 2) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + b"".join(blocks) + end


def frame(width, height, data, left=0, top=0):
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    return b"\x2c" + le(left, 2) + le(top, 2) + le(width, 2) + le(height, 2) + b"\0\x02" + blocks + b"\0"


def codes(values, width=3):
    """LZW codes of one width, least significant bit first."""
    bits = sum(value << (width * i) for i, value in enumerate(values))
    return bits.to_bytes(-(-len(values) * width // 8), "little")


def gifs():
    # Clear, one pixel, over and over, so that codes stay three bits wide.
    pixels = [code for _ in range(81) for code in (4, 1)] + [5]
    yield "canvas.gif", gif(65_535, 65_535, frame(9, 9, codes(pixels)))
    yield "frame-over-canvas.gif", gif(1, 1, frame(65_535, 65_535, codes(pixels)))
    yield "frame-far-off.gif", gif(9, 9, frame(9, 9, codes(pixels), 65_526, 65_526))
    yield "no-pixels.gif", gif(9, 9, frame(0, 0, b""))
    yield "no-frame.gif", gif(9, 9)
    yield "clears.gif", gif(9, 9, frame(9, 9, codes([4] * 20_000)))
    yield "clears-then-pixels.gif", gif(9, 9, frame(9, 9, codes([4] * 20_000 + pixels)))
    yield "code-before-its-time.gif", gif(9, 9, frame(9, 9, codes([4, 7] * 50)))
    yield "ends-early.gif", gif(9, 9, frame(9, 9, codes([4, 1, 5])))
    yield "frames.gif", gif(9, 9, *[frame(9, 9, codes(pixels))] * 300)
    extension = b"\x21\xf9\x04\0\0\0\0\0"
    yield "extensions.gif", gif(9, 9, *[extension] * 2_000, frame(9, 9, codes(pixels)))
    yield "loops-for-ever.gif", gif(9, 9, b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", frame(9, 9, codes(pixels)))


# JPEG


def segment(marker, body=b""):
    return bytes([0xFF, marker]) + be(len(body) + 2, 2) + body


QUANTISATION = segment(0xDB, b"\0" + b"\1" * 64)
# One code, a zero bit: of DC no difference, of AC the end of the block.
TABLES = segment(0xC4, b"\0\1" + bytes(16)) + segment(0xC4, b"\x10\1" + bytes(16))
# One code, a zero bit: one coefficient, whose sign is the next bit.
BUSY = segment(0xC4, b"\x10\1" + bytes(15) + b"\1")


def sof(width, height, components=1, progressive=False, precision=8):
    parts = b"".join(bytes([i + 1, 0x11, 0]) for i in range(components))
    return segment(0xC2 if progressive else 0xC0, bytes([precision]) + be(height, 2) + be(width, 2) + bytes([components]) + parts)


SCAN = segment(0xDA, b"\1\1\0\0\x3f\0")
DC_SCAN = segment(0xDA, b"\1\1\0\0\0\0")
AC_SCAN = segment(0xDA, b"\1\1\0\1\x3f\0")


def jpeg(*parts, end=b"\xff\xd9"):
    return b"\xff\xd8" + QUANTISATION + b"".join(parts) + end


def jpegs():
    small = sof(8, 8) + TABLES + SCAN + b"\0"
    yield "dimensions.jpg", jpeg(sof(65_500, 65_500), TABLES, SCAN, b"\0")
    yield "height-later.jpg", jpeg(sof(8, 0), TABLES, SCAN, b"\0", segment(0xDC, be(8, 2)))
    yield "no-end.jpg", jpeg(small, end=b"")
    yield "scans.jpg", jpeg(sof(8, 8, progressive=True), TABLES, DC_SCAN, b"\0", (AC_SCAN + b"\0") * 999)
    yield "scans-of-baseline.jpg", jpeg(sof(8, 8), TABLES, (SCAN + b"\0") * 4)
    yield "components.jpg", jpeg(sof(8, 8, 255), TABLES, SCAN, b"\0")
    yield "precision.jpg", jpeg(sof(8, 8, precision=12), TABLES, SCAN, b"\0")
    yield "sampling.jpg", jpeg(segment(0xC0, b"\x08" + be(8, 2) * 2 + b"\1\1\xff\0"), TABLES, SCAN, b"\0")
    # Of 32 blocks, with a restart marker after each.
    restarts = b"\0" + b"".join(b"\xff" + bytes([0xD0 + i % 8]) + b"\0" for i in range(31))
    yield "restarts.jpg", jpeg(sof(256, 8), TABLES, segment(0xDD, be(1, 2)), SCAN, restarts)
    yield "restarts-only.jpg", jpeg(sof(256, 8), TABLES, segment(0xDD, be(1, 2)), SCAN, b"\xff\xd0" * 10_000)
    yield "restart-interval-changes.jpg", jpeg(sof(8, 8), TABLES, segment(0xDD, be(1, 2)) * 2_000, SCAN, b"\0")
    yield "no-tables.jpg", jpeg(sof(8, 8), SCAN, b"\0")
    yield "no-frame.jpg", jpeg(TABLES, SCAN, b"\0")
    yield "frame-twice.jpg", jpeg(sof(8, 8), sof(65_500, 65_500), TABLES, SCAN, b"\0")
    yield "fill-bytes.jpg", jpeg(b"\xff" * 20_000, small)
    # What a walk over the segments and a decoder take for different things: a restart marker before any scan has no
    # length for the one and has one for the other, so they see different frames.
    huge = sof(65_500, 65_500, progressive=True)
    seen = sof(8, 8, progressive=True) + b"\xff\xe5" + be(2 + len(huge), 2)
    yield "hidden-frame.jpg", jpeg(TABLES, b"\xff\xd0" + be(2 + len(seen), 2), seen, huge, DC_SCAN, b"\0")
    # The decoder reads five bytes of a segment that has four.
    hidden = sof(65_500, 65_500) + TABLES
    yield "hidden-behind-app0.jpg", jpeg(TABLES, segment(0xE0, b"abcd"), segment(0xE1, hidden), small)
    thumbnail = segment(0xE1, b"Exif\0\0" + jpeg(small))
    yield "thumbnails.jpg", jpeg(thumbnail * 20, small)


# TIFF and EXIF

SHORT, LONG = 3, 4


def ifd(entries, tail=b"", at=8, following=0):
    """A directory at `at`, the values that do not fit behind it, then `tail`; gives it and where the tail begins."""
    body, values = le(len(entries), 2), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        if isinstance(value, bytes):
            value, values = behind + len(values), values + value
        body += struct.pack("<HHII", tag, kind, count, value)
    return body + le(following) + values + tail, behind + len(values)


def tiff(entries, data=b"", following=0):
    return b"II*\0" + le(8) + ifd(entries, data, following=following)[0]


def chunked(width, height, size, data, compression, tiles, lengths=None, jpeg_tables=b""):
    """All strips or tiles of `size` are the same `data`."""
    across, down = size
    count = -(-width // across) * -(-height // down)

    def entries(at):
        where = (at, len(data)) if count == 1 else (le(at) * count, le(len(data)) * count)
        yield from [(256, LONG, 1, width), (257, LONG, 1, height), (258, SHORT, 1, 8), (259, SHORT, 1, compression)]
        yield (262, SHORT, 1, 1)
        if not tiles:
            yield (273, LONG, count, where[0])
        yield (277, SHORT, 1, 1)
        if not tiles:
            yield from [(278, LONG, 1, down), (279, LONG, count, where[1])]
        else:
            yield from [(322, LONG, 1, across), (323, LONG, 1, down), (324, LONG, count, where[0]), (325, LONG, count, where[1])]
        if jpeg_tables:
            yield (347, 7, len(jpeg_tables), jpeg_tables)

    at = 8 + ifd(list(entries(0)))[1] - 8
    return tiff(list(entries(at)), data)


def plain(width=9, height=9):
    return chunked(width, height, (width, height), b"\x7f" * (width * height), 1, False)


def tiffs():
    yield "dimensions.tif", chunked(9, 9, (9, 9), b"\x7f" * 81, 1, False).replace(struct.pack("<HHII", 256, LONG, 1, 9), struct.pack("<HHII", 256, LONG, 1, 2**32 - 1))
    loop = plain()
    at = 8 + 2 + 12 * 9
    yield "directory-loop.tif", loop[:at] + le(8) + loop[at + 4 :]
    yield "strips-in-number.tif", tiff([(256, LONG, 1, 9), (257, LONG, 1, 9), (258, SHORT, 1, 8), (259, SHORT, 1, 1), (262, SHORT, 1, 1), (273, LONG, 2**32 - 1, 8), (278, LONG, 1, 1), (279, LONG, 2**32 - 1, 8)])
    yield "strip-of-no-rows.tif", plain().replace(struct.pack("<HHII", 278, LONG, 1, 9), struct.pack("<HHII", 278, LONG, 1, 0))
    yield "strip-inflates.tif", chunked(9, 9, (9, 9), zeros(), 8, False)
    yield "strips-share-data.tif", chunked(1_000, 1_000, (1_000, 1), zlib.compress(b"\x7f" * 1_000), 8, False)
    yield "tiles-far-wider.tif", chunked(1, 2_000, (4_000_000, 1), zlib.compress(bytes(4_000_000), 9), 8, True)
    yield "tiles-wider.tif", chunked(1, 10, (4_000_000, 1), zlib.compress(bytes(4_000_000), 9), 8, True)
    yield "tile-of-petabytes.tif", chunked(9, 9, (2**31, 2**31), b"\0" * 81, 1, True)
    yield "tile-of-nothing.tif", plain().replace(struct.pack("<HHII", 278, LONG, 1, 9), struct.pack("<HHII", 322, LONG, 1, 0))
    yield "samples-in-number.tif", plain().replace(struct.pack("<HHII", 277, SHORT, 1, 1), struct.pack("<HHII", 277, SHORT, 1, 65_535))
    yield "bits-in-number.tif", plain().replace(struct.pack("<HHII", 258, SHORT, 1, 8), struct.pack("<HHII", 258, SHORT, 1, 65_535))
    yield "directory-past-the-end.tif", b"II*\0" + le(2**32 - 1)
    yield "directory-of-65535.tif", b"II*\0" + le(8) + le(65_535, 2) + struct.pack("<HHII", 256, LONG, 1, 9) * 600
    yield "big-counts.tif", b"II+\0" + le(8, 2) + le(0, 2) + le(16, 8) + le(2**63, 8) + bytes(40)
    lzw = b"\x80" + bytes(200)
    yield "lzw-of-zeros.tif", chunked(9, 9, (9, 9), lzw, 5, False)
    yield "group4-of-zeros.tif", chunked(9, 9, (9, 9), bytes(200), 4, False).replace(struct.pack("<HHII", 258, SHORT, 1, 8), struct.pack("<HHII", 258, SHORT, 1, 1))
    yield "packbits-of-runs.tif", chunked(9, 9, (9, 9), b"\x81\x7f" * 200, 32_773, False)
    # The shared tables hold a whole picture, which is not the one that the directory and the strip speak of.
    strip = jpeg(sof(8, 8), TABLES, SCAN, b"\0")
    hidden = jpeg(TABLES, sof(16_000, 16_000), SCAN)
    yield "jpeg-tables-with-a-frame.tif", chunked(8, 8, (8, 8), strip, 7, False, jpeg_tables=hidden)
    yield "jpeg-tables-twice.tif", chunked(8, 8, (8, 8), strip, 7, False, jpeg_tables=jpeg(TABLES * 200))
    yield "jpeg-larger-than-its-strip.tif", chunked(8, 8, (8, 8), jpeg(sof(16_000, 16_000), TABLES, SCAN, b"\0"), 7, False)
    yield "jpeg-strips-share-data.tif", chunked(8, 40_000, (8, 8), jpeg(sof(8, 8), TABLES, segment(0xFE, bytes(4_000)), SCAN, b"\0"), 7, False)


def with_exif(block):
    return jpeg(segment(0xE1, b"Exif\0\0" + block), sof(16, 8), TABLES, SCAN, b"\0")


def exif_blocks():
    orientation = (274, SHORT, 1, 6)
    yield "turned", tiff([orientation])
    yield "loop", tiff([orientation, (34_665, LONG, 1, 8)], following=8)
    yield "counts", tiff([(274, SHORT, 2**32 - 1, 6)])
    yield "of-65535-entries", b"II*\0" + le(8) + le(65_535, 2) + struct.pack("<HHII", 274, SHORT, 1, 6)
    yield "past-the-end", b"MM\0*" + be(2**32 - 1)
    yield "orientation-9", tiff([(274, SHORT, 1, 9)])
    yield "orientation-as-text", tiff([(274, 2, 1, 6)])
    yield "big", b"II+\0" + le(8, 2) + le(0, 2) + le(16, 8) + le(1, 8) + struct.pack("<HHQQ", 274, SHORT, 1, 6)
    yield "big-endian", b"MM\0*" + be(8) + be(1, 2) + struct.pack(">HHIHH", 274, SHORT, 1, 6, 0) + be(0)
    yield "empty", b""


def exifs():
    for name, block in exif_blocks():
        yield f"exif-{name}.jpg", with_exif(block)
    twice = [segment(0xE1, b"Exif\0\0" + tiff([(274, SHORT, 1, turn)])) for turn in (6, 3)]
    yield "exif-twice.jpg", jpeg(*twice, sof(16, 8), TABLES, SCAN, b"\0")


# WebP


def riff(*chunks, size=None):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + le(len(body) if size is None else size) + body


def part(name, body):
    return name + le(len(body)) + body + b"\0" * (len(body) % 2)


# Green, red, blue, alpha and distance, each a code of one symbol.
CODES = [part for symbol in (0x7F, 0x7F, 0x7F, 0xFF, 0) for part in ((0b101, 3), (symbol, 8))]


def lossless(width, height):
    """All pixels of one colour: five codes of one symbol each, no bits for pixels."""
    bits, count = 0, 0
    for value, length in [(0x2F, 8), (width - 1, 14), (height - 1, 14), (0, 4), (0, 3)] + CODES:
        bits, count = bits | value << count, count + length
    return bits.to_bytes(-(-count // 8), "little") + b"\0"


def extended(width, height, flags=0):
    return part(b"VP8X", bytes([flags, 0, 0, 0]) + le(width - 1, 3) + le(height - 1, 3))


def moving(width, height, data, left=0, top=0):
    place = le(left // 2, 3) + le(top // 2, 3) + le(width - 1, 3) + le(height - 1, 3) + bytes(4)
    return part(b"ANMF", place + part(b"VP8L", data))


def webps():
    picture = part(b"VP8L", lossless(9, 9))
    yield "one-colour.webp", riff(picture)
    yield "dimensions.webp", riff(part(b"VP8L", lossless(16_384, 16_384)))
    yield "canvas.webp", riff(extended(2**24, 2**24), picture)
    yield "canvas-of-one.webp", riff(extended(1, 1), picture)
    animated = [extended(9, 9, 2), part(b"ANIM", bytes(6))]
    yield "frames.webp", riff(*animated, *[moving(9, 9, lossless(9, 9))] * 300)
    yield "frame-off-canvas.webp", riff(*animated, moving(9, 9, lossless(9, 9), 2**24, 2**24))
    yield "frame-on-large-canvas.webp", riff(extended(16_000, 16_000, 2), part(b"ANIM", bytes(6)), moving(9, 9, lossless(9, 9)))
    yield "frame-lies.webp", riff(*animated, moving(9, 9, lossless(16_000, 16_000)))
    yield "no-frame.webp", riff(*animated)
    yield "of-4-gb.webp", riff(picture, size=2**32 - 1)
    yield "chunk-of-4-gb.webp", riff(b"VP8L" + le(2**32 - 1) + lossless(9, 9))
    yield "empty-chunks.webp", riff(*[part(b"JUNK", b"")] * 2_000, picture)
    yield "lossy-dimensions.webp", riff(part(b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + le(16_383, 2) * 2 + bytes(20)))


# BMP


def bmp(width, height, bits, compression, data, palette=b"", colours=0, offset=None):
    at = 54 + len(palette) if offset is None else offset
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, colours, 0)
    return b"BM" + le(54 + len(palette) + len(data)) + le(0) + le(at) + info + palette + data


def bmps():
    colours = b"\0\0\0\0\xff\xff\xff\0" * 128
    yield "dimensions.bmp", bmp(2**31 - 1, 2**31 - 1, 24, 0, bytes(12))
    yield "height-least.bmp", bmp(9, -(2**31), 24, 0, bytes(12))
    yield "height-negative.bmp", bmp(4, -4, 24, 0, b"\x7f" * 48)
    yield "width-negative.bmp", bmp(-4, 4, 24, 0, b"\x7f" * 48)
    yield "run-past-its-row.bmp", bmp(9, 9, 8, 1, b"\xff\1" * 300 + b"\0\1", colours)
    yield "jumps.bmp", bmp(9, 9, 8, 1, b"\0\2\xff\xff" * 5_000 + b"\0\1", colours)
    yield "ends-of-rows.bmp", bmp(9, 9, 8, 1, b"\0\0" * 10_000 + b"\0\1", colours)
    yield "runs-of-nothing.bmp", bmp(9, 9, 8, 1, b"\0\1", colours)
    yield "runs-of-25-megapixels.bmp", bmp(5_000, 5_000, 8, 1, b"\0\1", colours)
    yield "colours-in-number.bmp", bmp(9, 9, 8, 0, bytes(108), colours, colours=2**32 - 1)
    yield "pixels-past-the-end.bmp", bmp(9, 9, 24, 0, bytes(252), offset=2**32 - 1)
    yield "bits-in-number.bmp", bmp(9, 9, 65_535, 0, bytes(252))


# What is two things at once, or only looks like one of the formats


def others():
    picture = png(chunk(b"IDAT", grey(9, 9)))
    yield "png-and-zip.png", picture + b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
    yield "gif-and-script.gif", b"GIF89a/*" + le(9, 2) + b"\0\0\0*/=1;alert(1);//" + bytes(40)
    yield "jpeg-and-html.jpg", jpeg(segment(0xFE, b"<script>alert(1)</script>"), sof(8, 8), TABLES, SCAN, b"\0") + b"<html><body>"
    yield "pdf-and-jpeg.pdf", b"%PDF-1.7\n" + jpeg(sof(8, 8), TABLES, SCAN, b"\0")
    yield "zip-and-png.zip", b"PK\x03\x04" + bytes(26) + picture
    yield "html-and-png.html", b"<!doctype html><script>" + picture
    yield "tiff-and-jpeg.tif", plain() + jpeg(sof(8, 8), TABLES, SCAN, b"\0")
    yield "mng.mng", b"\x8aMNG\r\n\x1a\n" + chunk(b"MHDR", be(9) * 2 + be(2**31 - 1) * 5) + chunk(b"MEND")
    yield "jng.jng", b"\x8bJNG\r\n\x1a\n" + chunk(b"JHDR", be(9) * 2 + bytes(8)) + chunk(b"IEND")
    yield "svg-of-a-billion-laughs.svg", b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><svg>&b;</svg>'
    yield "zeros", bytes(2_000)
    yield "magic-alone.jpg", b"\xff\xd8\xff"


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    for kind in (pngs, gifs, jpegs, tiffs, exifs, webps, bmps, others):
        for name, data in kind():
            (OUT / name).write_bytes(data)
    BLOCKS.mkdir(parents=True, exist_ok=True)
    for name, block in exif_blocks():
        (BLOCKS / name).write_bytes(block)


if __name__ == "__main__":
    main()
