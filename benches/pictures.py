"""Digits in the network's own format, and files that are meant to hurt, for the scripts beside this one."""

import hashlib
import io
import random
import struct
import zlib

from PIL import Image, ImageDraw, ImageFont

from serve import SAMPLES

SIDE, INK = 28, 20
# What is to be answered of anything else, whether it was rejected or looked at.
NO_DIGIT = "no digit"


def digits(count: int, seed: int) -> list[tuple[str, bytes]]:
    """Light on dark, 28×28, the ink 20 pixels long and centred by mass: nothing is left to preprocess. No two are the
    same file."""
    rng, drawn = random.Random(seed), {}
    while len(drawn) < count:
        digit = str(len(drawn) % 10)
        drawn[digit_png(digit, rng)] = digit
    return [(digit, body) for body, digit in drawn.items()]


def digit_png(digit: str, rng: random.Random) -> bytes:
    large = Image.new("L", (200, 200))
    draw, font = ImageDraw.Draw(large), ImageFont.load_default(size=130)
    draw.text((100, 100), digit, fill=255, font=font, anchor="mm", stroke_width=rng.randrange(0, 5))
    large = large.rotate(rng.uniform(-12, 12), resample=Image.Resampling.BICUBIC)
    ink = large.crop(large.getbbox())
    scale = INK / max(ink.size)
    ink = ink.resize((max(1, round(ink.width * scale)), max(1, round(ink.height * scale))), Image.Resampling.BOX)
    pixels, total = ink.load(), 0
    across = down = 0.0
    for y in range(ink.height):
        for x in range(ink.width):
            total, across, down = total + pixels[x, y], across + pixels[x, y] * x, down + pixels[x, y] * y
    picture = Image.new("L", (SIDE, SIDE))
    place = [min(max(round((SIDE - 1) / 2 - mass / total), 0), SIDE - side) for mass, side in ((across, ink.width), (down, ink.height))]
    picture.paste(ink, tuple(place))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def photograph() -> bytes:
    """Twelve megapixels, as a phone takes them."""
    image = Image.new("RGB", (4000, 3000), "white")
    ImageDraw.Draw(image).text((2000, 1500), "7", fill="black", font=ImageFont.load_default(size=2400), anchor="mm")
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def png(width: int, height: int, *chunks: bytes, rows: int = 0) -> bytes:
    """RGB; `rows` of black behind the header, and `chunks` before them."""
    deflate, packed = zlib.compressobj(9), []
    for _ in range(rows):
        packed.append(deflate.compress(bytes(1 + 3 * width)))
    packed.append(deflate.flush())
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [header, *chunks, b"IDAT" + b"".join(packed), b"IEND"]
    framed = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def bombs() -> dict[str, bytes]:
    """None of them shows a digit, and each can be told so at once. (The packed text stands in a blank picture.)"""
    text = b"zTXtComment\0\0" + zlib.compress(bytes(200_000_000), 9)
    return {
        "169 megapixels in 500 kB": png(13_000, 13_000, rows=13_000),
        "a header of 3,600 megapixels": png(60_000, 60_000),
        "200 MB of packed text": png(28, 28, text, rows=28),
        "a GIF of 400 megapixels": b"GIF89a" + struct.pack("<HH", 20_000, 20_000) + bytes((0x80, 0, 0, 0, 0, 0, 255, 255, 255))
        + b"\x2c" + struct.pack("<HHHH", 0, 0, 20_000, 20_000) + bytes((0, 2, 1, 0x2C, 0, 0x3B)),
        "half a JPEG": (SAMPLES / "truncated.jpg").read_bytes(),
        "no picture": b"%PDF-1.7 is no picture\n",
        "nothing": b"",
    }


def etag(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()
