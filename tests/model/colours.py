#!/usr/bin/env python3
"""Make the second model of the tests: as unlike the digits as a manifest can say.

    python -m pip install -r ../../model/digits/requirements.txt
    python colours.py

Colours with blue first, channels last, ImageNet's mean and standard deviation, probabilities out, labels in a file. Not trained: its weights are written down,
and depend on channel and row, so that a mistaken layout gives a wrong label.
"""

import hashlib
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 8
LABELS = ["red", "green", "blue above", "blue below"]
FOLDER = pathlib.Path(__file__).parent / "colours"

MANIFEST = """\
# Made by colours.py.
name = "colours"
version = 3
sha256 = "{sha256}"
labels = "labels.txt"
threshold = 0.6
top_k = 4

[input]
layout = "NHWC"
shape = [1, 8, 8, 3]
order = "bgr"

[preprocess]
kind = "resize"
mode = "stretch"
mean = [0.406, 0.456, 0.485]
std = [0.225, 0.224, 0.229]

[output]
kind = "probabilities"
"""


def weights() -> np.ndarray:
    w = np.zeros((SIDE, SIDE, 3, len(LABELS)), np.float32)
    w[:, :, 2, 0] = 1
    w[:, :, 1, 1] = 1
    w[: SIDE // 2, :, 0, 2] = 2
    w[SIDE // 2 :, :, 0, 3] = 2
    return (w / SIDE**2).reshape(-1, len(LABELS))


def main() -> None:
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(LABELS)])],
        [numpy_helper.from_array(weights(), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    serialised = model.SerializeToString()
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "labels.txt").write_text("\n".join(LABELS) + "\n")
    (FOLDER / "model.onnx").write_bytes(serialised)
    (FOLDER / "manifest.toml").write_text(MANIFEST.format(sha256=hashlib.sha256(serialised).hexdigest()))


if __name__ == "__main__":
    main()
