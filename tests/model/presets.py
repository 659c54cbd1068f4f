#!/usr/bin/env python3
"""Small networks as people's exporters write them, and what onnxruntime makes of a picture with each one's own preprocessing.

    python -m pip install -r ../../model/digits/requirements.txt torchvision
    python presets.py

Not trained: weights are drawn, so that answers depend on every pixel. `tests/model/presets.rs` lets `spotter model init`
write their manifests, and holds Spotter against `expected.json`. The preprocessing here is each framework's own, by
torchvision and Pillow.
"""

import io
import json
import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import nn
from torchvision import transforms

HERE = pathlib.Path(__file__).parent / "presets"
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def drawn() -> Image.Image:
    """A slope of colours with a disc and stripes, wider than high."""
    y, x = np.mgrid[0:60, 0:90]
    pixels = np.stack([x * 255 // 89, y * 255 // 59, (x + y) * 255 // 148], axis=2)
    pixels[np.hypot(x - 30, y - 25) < 14] = [220, 40, 30]
    pixels[(x > 60) & ((x + 2 * y) // 6 % 2 == 0)] = [20, 30, 200]
    return Image.fromarray(pixels.astype(np.uint8))


class Block(nn.Module):
    """torchvision's BasicBlock."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = Block(4, 6, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layer1(x)), 1))


class ViT(nn.Module):
    """Patches, a class token, positions, one block of attention, as transformers' ViTForImageClassification."""

    def __init__(self, side: int, patch: int, width: int, classes: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(3, width, patch, patch)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, (side // patch) ** 2 + 1, width) / 4)
        self.before, self.after, self.last = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        x = self.projection(pixel_values).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.position
        y = self.before(x)
        attention = torch.softmax(self.query(y) @ self.key(y).transpose(-1, -2) / y.shape[-1] ** 0.5, dim=-1)
        x = x + self.out(attention @ self.value(y))
        x = x + self.down(nn.functional.gelu(self.up(self.after(x))))
        return self.classifier(self.last(x)[:, 0])


def lively(network: nn.Module) -> nn.Module:
    """Statistics of a network that has seen data, and outputs far apart."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.2, 0.6)
    list(network.modules())[-1].weight.data *= 3
    return network.eval()


def exported(network: nn.Module, side: int, names: tuple[str, str], dynamic: dict[int, str]) -> onnx.ModelProto:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, torch.zeros(1, 3, side, side), file, input_names=[names[0]], output_names=[names[1]],
            dynamic_axes={names[0]: dynamic, names[1]: {0: dynamic[0]}} if dynamic else None, opset_version=17,
            dynamo=False,
        )  # fmt: skip
    return onnx.load_from_string(file.getvalue())


def keras(random: np.random.Generator, side: int, classes: int) -> onnx.ModelProto:
    """What tf2onnx makes of a MobileNet: channels last outside, first inside, layers with Keras' names."""
    of = "StatefulPartitionedCall/mobilenetv2_1.00_48"
    weights = {
        f"{of}/Conv1/Conv2D_weights": random.normal(0, 0.3, (6, 3, 3, 3)),
        f"{of}/predictions/MatMul/ReadVariableOp:0": random.normal(0, 2, (6, classes)),
        f"{of}/predictions/BiasAdd/ReadVariableOp:0": random.normal(0, 0.5, classes),
        "zero": np.array(0),
        "six": np.array(6),
    }
    kernel, dense, bias, zero, six = weights
    nodes = [
        helper.make_node("Transpose", ["input_1"], ["nchw"], f"{of}/Conv1/Conv2D__6", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", kernel], ["conv"], f"{of}/Conv1/Conv2D", strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("Clip", ["conv", zero, six], ["relu6"], f"{of}/Conv1_relu/Relu6"),
        helper.make_node("GlobalAveragePool", ["relu6"], ["mean"], f"{of}/global_average_pooling2d/Mean"),
        helper.make_node("Flatten", ["mean"], ["flat"], f"{of}/global_average_pooling2d/Mean__9"),
        helper.make_node("MatMul", ["flat", dense], ["dense"], f"{of}/predictions/MatMul"),
        helper.make_node("Add", ["dense", bias], ["logits"], f"{of}/predictions/BiasAdd"),
        helper.make_node("Softmax", ["logits"], ["predictions"], f"{of}/predictions/Softmax", axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "tf2onnx",
        [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["unk__10", side, side, 3])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["unk__11", classes])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    model.producer_name, model.producer_version = "tf2onnx", "1.16.1"
    return model


def with_metadata(model: onnx.ModelProto, end: str, metadata: dict[str, str]) -> onnx.ModelProto:
    """The same network with softmax or a sigmoid at its end, and what its exporter says of it."""
    output = model.graph.output[0]
    logits, output.name = output.name, "output0"
    model.graph.node.append(helper.make_node(end, [logits], ["output0"], **({"axis": 1} if end == "Softmax" else {})))
    helper.set_model_props(model, metadata)
    return model


def tensor(picture: Image.Image, *steps) -> np.ndarray:
    return transforms.Compose([*steps, transforms.ToTensor()])(picture)[None].numpy()


def normalised(pixels: np.ndarray, mean: list[float], std: list[float]) -> np.ndarray:
    mean, std = (np.array(of, np.float32).reshape(1, 3, 1, 1) for of in (mean, std))
    return (pixels - mean) / std


def main() -> None:
    torch.manual_seed(6)
    picture = drawn()
    HERE.mkdir(exist_ok=True)
    picture.save(HERE / "picture.png", optimize=True)
    crop = transforms.CenterCrop

    made = {}
    network = exported(lively(ResNet(5)), 224, ("input", "output"), {0: "batch_size"})
    pixels = tensor(picture, transforms.Resize(256), crop(224))
    made["torchvision"] = (network, normalised(pixels, MEAN, STD), {"labels.txt": "tench\ngreat white shark\ncock\nhen\nostrich\n"})

    network = exported(
        lively(ViT(32, 8, 12, 3)), 32, ("pixel_values", "logits"),
        {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"},
    )  # fmt: skip
    settings = {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "ViTImageProcessor", "image_std": [0.5, 0.5, 0.5], "resample": 3,
        "rescale_factor": 0.00392156862745098, "size": {"height": 32, "width": 32},
    }  # fmt: skip
    config = {"architectures": ["ViTForImageClassification"], "id2label": {"0": "angular leaf spot", "1": "bean rust", "2": "healthy"}}
    bicubic = transforms.Resize((32, 32), transforms.InterpolationMode.BICUBIC)
    files = {"preprocessor_config.json": json.dumps(settings, indent=2), "config.json": json.dumps(config, indent=2)}
    made["huggingface"] = (network, normalised(tensor(picture, bicubic), [0.5] * 3, [0.5] * 3), files)

    stretched = np.asarray(picture.resize((48, 48), Image.Resampling.BILINEAR), np.float32)[None]
    made["keras"] = (keras(np.random.default_rng(6), 48, 4), stretched / 127.5 - 1, {"class_names.txt": "daisy\nrose\ntulip\nweed\n"})

    names = "{0: 'cat', 1: \"jack-o'-lantern\", 2: 'ice cream'}"
    metadata = {
        "description": "Ultralytics YOLO11n-cls model", "author": "Ultralytics", "version": "8.3.0", "stride": "1",
        "task": "classify", "batch": "1", "imgsz": "[64, 64]", "names": names,
    }  # fmt: skip
    network = with_metadata(exported(lively(ResNet(3)), 64, ("images", "logits"), {}), "Softmax", metadata)
    made["ultralytics"] = (network, tensor(picture, transforms.Resize(64), crop(64)), {})

    labels = {"labels": '["boat", "beach", "sunset", "dog"]'}
    network = with_metadata(exported(lively(ResNet(4)), 28, ("input", "logits"), {0: "n"}), "Sigmoid", labels)
    made["multi-label"] = (network, normalised(tensor(picture, transforms.Resize(32), crop(28)), MEAN, STD), {})

    expected = {}
    for name, (model, pixels, files) in made.items():
        onnx.checker.check_model(model)
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        serialised = model.SerializeToString()
        (folder / "network.onnx").write_bytes(serialised)
        for file, text in files.items():
            (folder / file).write_text(text if text.endswith("\n") else text + "\n")
        session = onnxruntime.InferenceSession(serialised, providers=["CPUExecutionProvider"])
        outputs = session.run(None, {session.get_inputs()[0].name: pixels.astype(np.float32)})[0][0]
        expected[name] = [round(float(output), 5) for output in outputs]
        print(f"{name}: {len(serialised)} bytes, {expected[name]}")
    lines = ",\n  ".join(f"{json.dumps(name)}: {json.dumps(outputs)}" for name, outputs in expected.items())
    (HERE / "expected.json").write_text(f"{{\n  {lines}\n}}\n")


if __name__ == "__main__":
    main()
