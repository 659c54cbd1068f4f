#!/usr/bin/env python3
"""What torchvision and Pillow make of drawn pictures: `resize.json`, which `tests/model/resize.rs` holds Spotter against.

    python -m pip install -r ../../model/digits/requirements.txt torchvision
    python resize.py

The pictures are a formula, written down here and there, so that no file of pixels is needed. `stretch` is torchvision's
Resize((height, width)), `centre_crop` its Resize(shorter_side) and CenterCrop, `fit` Pillow's ImageOps.pad.
"""

import hashlib
import json
import pathlib

import numpy as np
import PIL
import torchvision
from PIL import Image, ImageOps
from torchvision import transforms
from torchvision.transforms import InterpolationMode

FILTERS = {
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
    "lanczos": InterpolationMode.LANCZOS,
    "box": InterpolationMode.BOX,
    "nearest": InterpolationMode.NEAREST,
}
# Width and height of the picture, then height and width of the input: larger, smaller, both at once, odd halves.
SIZES = [
    (97, 61, 7, 9),
    (61, 97, 9, 7),
    (5, 4, 9, 11),
    (200, 3, 6, 8),
    (3, 200, 8, 6),
    (8, 8, 8, 8),
    (1, 1, 5, 5),
    (64, 48, 10, 10),
]
LARGE = [(640, 481, 224, 224, 256), (333, 500, 224, 224, 232), (1050, 801, 96, 64, 100)]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def drawn(width: int, height: int, channels: int) -> Image.Image:
    """Soft slopes on the left, a mesh as fine as pixels on the right."""
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    soft = (x * 3 + y * 2 + c * 60) % 511
    soft = np.where(soft > 255, 510 - soft, soft)
    mesh = ((x * 37) ^ (y * 91) ^ (c * 55)) % 256
    pixels = np.where(x * 2 < width, soft, mesh).astype(np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def by_them(picture: Image.Image, mode: str, name: str, height: int, width: int, shorter: int) -> Image.Image:
    way = FILTERS[name]
    if mode == "stretch":
        return transforms.Resize((height, width), way)(picture)
    if mode == "centre_crop":
        return transforms.CenterCrop((height, width))(transforms.Resize(shorter, way)(picture))
    grey = 114 if picture.mode == "L" else (114, 114, 114)
    return ImageOps.pad(picture, (width, height), getattr(Image.Resampling, name.upper()), grey)


def main() -> None:
    cases = []

    def case(mode, name, channels, width, height, to_height, to_width, shorter, digest):
        pixels = by_them(drawn(width, height, channels), mode, name, to_height, to_width, shorter).tobytes()
        expected = hashlib.sha256(pixels).hexdigest() if digest else pixels.hex()
        place = {"mode": mode, "filter": name, "channels": channels, "from": [width, height], "to": [to_height, to_width]}
        cases.append(place | {"shorter_side": shorter, "sha256" if digest else "pixels": expected})

    for name in FILTERS:
        for at, (width, height, to_height, to_width) in enumerate(SIZES):
            shorter = max(to_height, to_width) + at % 3
            # Of a picture so narrow Pillow's pad shows nothing at all, Spotter a line.
            modes = ("stretch", "centre_crop", "fit")[: 2 if max(width, height) > 60 * min(width, height) else 3]
            for mode in modes:
                case(mode, name, 1 if at % 2 else 3, width, height, to_height, to_width, shorter, False)
        for width, height, to_height, to_width, shorter in LARGE:
            for mode in ("stretch", "centre_crop", "fit"):
                case(mode, name, 3, width, height, to_height, to_width, shorter, True)

    usual = transforms.Compose([
        transforms.Resize(12),
        transforms.CenterCrop(10),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ])
    tensor = usual(drawn(97, 61, 3)).flatten().tolist()
    lines = ",\n    ".join(json.dumps(case) for case in cases)
    versions = f"torchvision {torchvision.__version__.split('+')[0]}, Pillow {PIL.__version__}"
    out = pathlib.Path(__file__).parent / "resize.json"
    out.write_text(
        f'{{\n  "made_by": "{versions}",\n  "normalised": {json.dumps([round(value, 5) for value in tensor])},\n'
        f'  "cases": [\n    {lines}\n  ]\n}}\n'
    )
    print(f"{len(cases)} cases in {out}")


if __name__ == "__main__":
    main()
