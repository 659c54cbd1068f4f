#!/usr/bin/env python3
"""Make the second model of the tests: as unlike the digits as a manifest can say.

    python -m pip install -r ../../model/digits/requirements.txt
    python colours.py

RGB, channels last, mean and standard deviation, probabilities out. Not trained: its weights are written down,
and depend on channel and row, so that a mistaken layout gives a wrong label.
"""

import hashlib
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 8
LABELS = ["red", "green", "blue above", "blue below"]
MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
FOLDER = pathlib.Path(__file__).parent / "colours"


def weights() -> np.ndarray:
    w = np.zeros((SIDE, SIDE, 3, len(LABELS)), np.float32)
    w[:, :, 0, 0] = 1
    w[:, :, 1, 1] = 1
    w[: SIDE // 2, :, 2, 2] = 2
    w[SIDE // 2 :, :, 2, 3] = 2
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
    (FOLDER / "model.onnx").write_bytes(serialised)
    manifest = {
        "name": "colours",
        "version": 3,
        "labels": LABELS,
        "input": {"layout": "NHWC", "shape": [1, SIDE, SIDE, 3]},
        "preprocess": {"kind": "resize", "fit": "stretch", "mean": MEAN, "std": STD},
        "output": "probabilities",
        "threshold": 0.6,
        "sha256": hashlib.sha256(serialised).hexdigest(),
    }
    (FOLDER / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
