#!/usr/bin/env python3
"""Small networks for `spotter model check`: one that works, and what goes wrong with people's own.

    python -m pip install -r ../../model/digits/requirements.txt
    python broken.py

Not trained: weights are drawn. Each is a model's folder in `broken/`; what can be broken without ONNX (labels, checksum, a file
that ends early) is broken by `tests/model/check.rs`, in a copy of `broken/works`.
"""

import hashlib
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE = 12
LABELS = ["cat", "dog", "owl"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
FOLDER = pathlib.Path(__file__).parent / "broken"

MANIFEST = """\
# Made by broken.py.
name = "{name}"
version = 1
sha256 = "{sha256}"
labels = {labels}
threshold = 0.4

[input]
layout = "NCHW"
shape = [1, 3, {side}, {side}]

[preprocess]
kind = "resize"
mode = "centre_crop"
shorter_side = 14
mean = {mean}
std = {std}

[output]
kind = "logits"
"""

random = np.random.default_rng(6)


def drawn(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(random.normal(0, 0.5, shape).astype(np.float32), name)


def whole(name: str, values: list) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def stem(**replaced) -> list:
    """A convolution with its ReLU, twelve pixels to six; one of the nodes may be another."""
    conv = helper.make_node("Conv", ["image", "stem.weight"], ["stem"], "stem/Conv", pads=[1, 1, 1, 1], strides=[2, 2])
    return [replaced.get("conv", conv), replaced.get("relu", helper.make_node("Relu", ["stem"], ["ink"], "stem/Relu"))]


def head(of: str = "ink") -> list:
    return [
        helper.make_node("GlobalAveragePool", [of], ["pooled"], "head/GlobalAveragePool"),
        helper.make_node("Flatten", ["pooled"], ["flat"], "head/Flatten"),
        helper.make_node("Gemm", ["flat", "head.weight", "head.bias"], ["logits"], "head/Gemm", transB=1),
    ]


def weights() -> list:
    return [drawn("stem.weight", 4, 3, 3, 3), drawn("head.weight", 3, 4), drawn("head.bias", 3)]


def network(nodes: list, outputs: dict, more: list = (), opset: int = 17, image: list = ("n", 3, SIDE, SIDE)) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(image))],
        [helper.make_tensor_value_info(name, element, shape) for name, (element, shape) in outputs.items()],
        [*weights(), *more],
    )
    # The runtime's own domain is declared where a node is of it.
    domains = {"": opset} | {node.domain: 1 for node in nodes if node.domain}
    opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="broken.py")


def scores(*shape) -> dict:
    return {"logits": (TensorProto.FLOAT, list(shape) or ["n", 3])}


def networks() -> dict[str, onnx.ModelProto]:
    softmax = helper.make_node("Softmax", ["logits"], ["probabilities"], "head/Softmax", axis=1)
    deform = helper.make_node("DeformConv", ["image", "stem.weight", "offset"], ["stem"], "stem/DeformConv")
    fused = helper.make_node("FusedConv", ["image", "stem.weight"], ["stem"], "stem/FusedConv", domain="com.microsoft")
    reshape = helper.make_node("Reshape", ["ink", "wrong"], ["reshaped"], "neck/Reshape")
    pool = helper.make_node("MaxPool", ["ink"], ["less"], "neck/MaxPool", kernel_shape=[2, 2], strides=[0, 0])
    boxes = helper.make_node("Reshape", ["ink", "boxes"], ["output0"], "detect/Reshape")
    argmax = helper.make_node("ArgMax", ["logits"], ["class"], "head/ArgMax", axis=1, keepdims=0)
    log = helper.make_node("Log", ["stem"], ["ink"], "stem/Log")
    around = [helper.make_node("Identity", [a], [b], f"around/{b}") for a, b in (("again", "logits"), ("logits", "again"))]
    integers, floats = TensorProto.INT64, TensorProto.FLOAT
    return {
        "works": network([*stem(), *head()], scores()),
        "softmax-twice": network([*stem(), *head(), softmax], {"probabilities": (floats, ["n", 3])}),
        "unknown-operators": network([*stem(conv=deform), *head()], scores(), [drawn("offset", 1, 18, 12, 12)], 19),
        "fused": network([*stem(conv=fused), *head()], scores()),
        "does-not-fit": network([*stem(), reshape, *head("reshaped")], scores(), [whole("wrong", [1, 4, 7, 7])]),
        "gives-up": network([*stem(), pool, *head("less")], scores()),
        "not-finite": network([*stem(relu=log), *head()], scores()),
        "detector": network([*stem(), boxes], {"output0": (floats, [1, 4, 36])}, [whole("boxes", [1, 4, 36])]),
        "map": network(stem(), {"ink": (floats, ["n", 4, 6, 6])}),
        "argmax": network([*stem(), *head(), argmax], {"class": (integers, ["n"])}),
        "future": network([*stem(), *head()], scores(), opset=27),
        "no-shape": network([*stem(), *head()], scores(), image=["n", "c", "h", "w"]),
        "weights-elsewhere": network([*stem(), *head()], scores()),
        "circle": network([*stem(), *around], scores()),
    }


def golden(serialised: bytes) -> str:
    """As model/digits/golden.py writes it: bytes that the network sees, and what onnxruntime makes of them."""
    session = onnxruntime.InferenceSession(serialised, providers=["CPUExecutionProvider"])
    cases = []
    for at in range(4):
        pixels = random.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
        tensor = ((pixels / np.float32(255) - np.float32(MEAN)) / np.float32(STD)).astype(np.float32)
        logits = session.run(None, {"image": tensor.transpose(2, 0, 1)[None]})[0][0]
        case = {"name": f"noise {at}", "pixels": pixels.tobytes().hex(), "logits": [round(float(v), 6) for v in logits]}
        cases.append(case)
    digest = hashlib.sha256(serialised).hexdigest()
    lines = ",\n    ".join(json.dumps(case) for case in cases)
    engine = f"onnxruntime {onnxruntime.__version__}"
    return f'{{\n  "engine": "{engine}",\n  "sha256": "{digest}",\n  "cases": [\n    {lines}\n  ]\n}}\n'


def main() -> None:
    for name, model in networks().items():
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "model.onnx"
        if name == "weights-elsewhere":
            # What was downloaded without its neighbour.
            onnx.save(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
            (folder / "weights.bin").unlink()
        else:
            file.write_bytes(model.SerializeToString())
        serialised = file.read_bytes()
        text = MANIFEST.format(
            name=name,
            sha256=hashlib.sha256(serialised).hexdigest(),
            labels=json.dumps(LABELS),
            side=SIDE,
            mean=MEAN,
            std=STD,
        )
        (folder / "manifest.toml").write_text(text)
        if name == "works":
            onnx.checker.check_model(model)
            (folder / "golden.json").write_text(golden(serialised))


if __name__ == "__main__":
    main()
