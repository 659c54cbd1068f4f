#!/usr/bin/env python3
"""Golden inputs and logits: what another engine makes of model.onnx.

    python -m pip install -r requirements.txt
    python golden.py

Draws 28 x 28 inputs (random strokes, noise, blank, all ink; no picture of MNIST), runs them through
onnxruntime and writes `golden.json`, which `tests/model.rs` holds the Rust path against. Run it after every
change of model.onnx.
"""

import argparse
import hashlib
import json
import pathlib

import numpy as np
import onnxruntime

SIDE = 28
STROKES = 24
NOISES = 6
HERE = pathlib.Path(__file__).parent


def stroke(random: np.random.Generator) -> np.ndarray:
    """A bent line of one to three curves, drawn by a round pen with a soft edge."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    distance = np.full((SIDE, SIDE), np.inf)
    for _ in range(random.integers(1, 4)):
        start, bend, end = random.uniform(4, SIDE - 4, (3, 2))
        for t in np.linspace(0, 1, 60):
            at = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
            distance = np.minimum(distance, np.hypot(x - at[0], y - at[1]))
    pen = random.uniform(0.8, 2.2)
    return (255 * np.clip(pen + 0.5 - distance, 0, 1)).round().astype(np.uint8)


def inputs() -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    corner = np.zeros((SIDE, SIDE))
    corner[0, 0] = 255
    drawn = {
        "blank": np.zeros((SIDE, SIDE)),
        "all ink": np.full((SIDE, SIDE), 255),
        "half ink": np.full((SIDE, SIDE), 128),
        "one pixel": corner,
        "ramp across": x * 255 // (SIDE - 1),
        "ramp down": y * 255 // (SIDE - 1),
        "chess board": (x + y) % 2 * 255,
        "ring": np.where(np.abs(np.hypot(x - 13.5, y - 13.5) - 8) < 1.5, 255, 0),
    }
    drawn |= {f"noise {i}": random.integers(0, 256, (SIDE, SIDE)) for i in range(NOISES)}
    drawn |= {f"stroke {i}": stroke(random) for i in range(STROKES)}
    return {name: pixels.astype(np.uint8) for name, pixels in drawn.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "golden.json")
    args = parser.parse_args()

    onnx = (HERE / "model.onnx").read_bytes()
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    cases = []
    for name, pixels in inputs().items():
        tensor = (pixels.astype(np.float32) / np.float32(255))[None, None]
        logits = session.run(None, {session.get_inputs()[0].name: tensor})[0][0]
        cases.append({"name": name, "pixels": pixels.tobytes().hex(), "logits": [round(float(v), 6) for v in logits]})
    lines = ",\n    ".join(json.dumps(case) for case in cases)
    digest = hashlib.sha256(onnx).hexdigest()
    args.out.write_text(
        f'{{\n  "engine": "onnxruntime {onnxruntime.__version__}",\n  "sha256": "{digest}",\n'
        f'  "cases": [\n    {lines}\n  ]\n}}\n'
    )
    print(f"{len(cases)} cases in {args.out}")


if __name__ == "__main__":
    main()
