#!/usr/bin/env python3
"""tract against onnxruntime on MNIST's test set.

    python -m pip install -r requirements.txt
    cargo build
    python compare.py --mnist DIR [--spotter ../../target/debug/spotter]

Writes the 10,000 pictures as PNG files into a temporary folder, lets `spotter classify` read them (the whole path:
decoding, finding ink, tract), gives the same pixels to onnxruntime, and compares. It fails if one label differs.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import numpy as np
import onnxruntime
from PIL import Image

from train import read_idx

HERE = pathlib.Path(__file__).parent
# Well under the length of a command line on any system.
FILES_A_CALL = 500


def by_tract(spotter: pathlib.Path, pictures: np.ndarray) -> tuple[list[str], np.ndarray]:
    # The model in the binary, whatever this shell names.
    environment = {name: value for name, value in os.environ.items() if name != "SPOTTER_MODEL"}
    labels, logits = [], []
    with tempfile.TemporaryDirectory() as folder:
        files = [str(pathlib.Path(folder) / f"{i:05}.png") for i in range(len(pictures))]
        for file, pixels in zip(files, pictures):
            Image.fromarray(pixels).save(file)
        for start in range(0, len(files), FILES_A_CALL):
            batch = files[start : start + FILES_A_CALL]
            command = [str(spotter), "classify", "--format", "json", *batch]
            output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
            lines = [json.loads(line) for line in output.splitlines()]
            if [line["path"] for line in lines] != batch:
                sys.exit(f"{len(lines)} lines came for {len(batch)} files, or in another order")
            labels += [line["label"] for line in lines]
            logits += [line["logits"] for line in lines]
    return labels, np.array(logits, np.float32)


def by_onnxruntime(pictures: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(HERE / "model.onnx", providers=["CPUExecutionProvider"])
    tensor = pictures.astype(np.float32)[:, None] / np.float32(255)
    return session.run(None, {session.get_inputs()[0].name: tensor})[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=pathlib.Path, required=True, help="folder with MNIST's test files")
    parser.add_argument("--spotter", type=pathlib.Path, default=HERE / "../../target/debug/spotter")
    args = parser.parse_args()

    pictures = read_idx(args.mnist, "t10k-images-idx3-ubyte")
    truth = read_idx(args.mnist, "t10k-labels-idx1-ubyte")
    manifest = tomllib.loads((HERE / "manifest.toml").read_text())
    names = manifest["labels"]
    guesses = [i for i, name in enumerate(names) if name != manifest["output"]["outlier"]["label"]]
    theirs = by_onnxruntime(pictures)
    labels, ours = by_tract(args.spotter, pictures)
    if ours.shape != theirs.shape:
        sys.exit(f"tract gave {ours.shape} logits, onnxruntime {theirs.shape}: is the binary of this model?")

    their_labels = [names[guesses[i]] for i in theirs[:, guesses].argmax(1)]
    true_labels = [names[i] for i in truth]
    differing = [i for i, (a, b) in enumerate(zip(labels, their_labels)) if a != b]
    difference = np.abs(ours - theirs).max(1)
    right = sum(a == b for a, b in zip(labels, true_labels))
    their_right = sum(a == b for a, b in zip(their_labels, true_labels))
    print(f"tract, whole path         {right} of {len(truth)} right, {right / len(truth):.2%}")
    print(f"onnxruntime, bare pixels  {their_right} of {len(truth)} right, {their_right / len(truth):.2%}")
    print(f"labels that differ        {len(differing)}")
    print(f"largest |logit difference| {difference.max():.2g}, on picture {difference.argmax()}")
    print(f"pictures over 1e-4        {(difference > 1e-4).sum()} (changed by preprocessing)")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
