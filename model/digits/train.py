#!/usr/bin/env python3
"""Train the digit reader and export it to ONNX.

    python -m pip install -r requirements.txt
    python render.py --mnist DIR --out pictures
    python render.py --mnist DIR --out held --count 6000 --seed 2 --held-out
    spotter model prepare pictures --out pictures.npy && spotter model prepare held --out held.npy
    python train.py --mnist DIR --prepared pictures.npy --held-out held.npy --out build

DIR holds MNIST's four files, gzipped or not (http://yann.lecun.com/exdb/mnist). The pictures that render.py draws come
to the network through the preprocessing that serves. OUT gets `model.onnx` (float32 logits, N x 11: ten digits and
`no-digit`; input N x 1 x 28 x 28, ink 1, paper 0) and `report.json`.

The network has no padding and no max-pool: tract runs valid, strided convolutions best. It looks twice (`Views`). Batch norm is
folded into the convolutions at export, and so is the temperature (Guo et al. 2017, "On Calibration of
Modern Neural Networks"), fitted on the 5,000 training pictures that are held out and on the drawn ones.
"""

import argparse
import copy
import gzip
import json
import math
import pathlib
import struct
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = {"small": (16, 32, 48, 96), "medium": (32, 48, 64, 128), "large": (32, 64, 112, 144)}
HELD_OUT = 5_000
NO_DIGIT = 10
# Confidence in a drawn digit's label from which it is trained, once the network has some judgement.
UNREADABLE = 0.02
CLASSES = 11


def read_idx(folder: pathlib.Path, name: str) -> np.ndarray:
    """One MNIST file (IDX format, unsigned bytes) as an array."""
    plain, packed = folder / name, folder / f"{name}.gz"
    data = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    dimensions = data[3]
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def load(folder: pathlib.Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(read_idx(folder, f"{split}-images-idx3-ubyte").copy())
    labels = torch.from_numpy(read_idx(folder, f"{split}-labels-idx1-ubyte").copy()).long()
    return images.float().div_(255).unsqueeze(1), labels


def load_prepared(path: pathlib.Path) -> tuple[torch.Tensor, torch.Tensor]:
    """What `spotter model prepare` made of render.py's pictures. A digit whose ink was not found teaches nothing."""
    lines = [line.rsplit("\t", 1) for line in path.with_suffix(".txt").read_text().splitlines()]
    names = [pathlib.Path(name).parent.name for name, _ in lines]
    labels = torch.tensor([NO_DIGIT if name == "x" else int(name) for name in names])
    found = torch.tensor([status in ("ok", "several") or name == "x" for (_, status), name in zip(lines, names)])
    images = torch.from_numpy(np.load(path)).reshape(-1, 1, 28, 28)
    return images[found].float().div_(255), labels[found]


class Digits(nn.Module):
    """28x28 -> 13x13 -> 11x11 -> 5x5 -> 3x3 -> a logit a class."""

    def __init__(self, widths: tuple[int, int, int, int], dropout: float):
        super().__init__()
        kernels = [(4, 2), (3, 1), (3, 2), (3, 1)]
        layers, channels = [], 1
        for width, (kernel, stride) in zip(widths, kernels):
            layers += [nn.Conv2d(channels, width, kernel, stride, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels * 9, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.dropout(self.features(x).flatten(1)))


def augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Another hand and another pen, still the same digit. `x` is N x 1 x 28 x 28 in 0..1."""
    n = len(x)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(n, *shape, generator=generator) * (high - low) + low

    # Stroke: half of the pictures are thickened or thinned by up to a pixel.
    strength, kind = uniform(0, 1, 1, 1, 1), torch.rand(n, 1, 1, 1, generator=generator)
    thick = F.max_pool2d(x, 3, 1, 1)
    thin = -F.max_pool2d(-F.avg_pool2d(x, 2, 1, 1)[:, :, 1:, 1:], 2, 1, 1)[:, :, :28, :28]
    x = torch.where(kind < 0.25, torch.lerp(x, thick, strength * 0.8), x)
    x = torch.where(kind > 0.75, torch.lerp(x, thin, strength * 0.8), x)

    # Pose: rotation, shear, scale, shift; then an elastic field of a 7x7 grid.
    angle, shear = uniform(-12, 12) * math.pi / 180, uniform(-0.15, 0.15)
    scale_x, scale_y = 1 / uniform(0.85, 1.15), 1 / uniform(0.85, 1.15)
    shift = uniform(-2, 2, 2) * 2 / 28
    cos, sin = angle.cos(), angle.sin()
    affine = torch.stack(
        [
            torch.stack([scale_x * cos, scale_x * (shear * cos - sin), shift[:, 0]], 1),
            torch.stack([scale_y * sin, scale_y * (shear * sin + cos), shift[:, 1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(affine, [n, 1, 28, 28], align_corners=False)
    field = torch.randn(n, 2, 7, 7, generator=generator) * (0.7 * 2 / 28)
    field = F.interpolate(field, (28, 28), mode="bilinear", align_corners=False)
    x = F.grid_sample(x, grid + field.permute(0, 2, 3, 1), align_corners=False)

    # Ink: blur in 15 %, gamma and contrast by 30 %.
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 1)
    x = torch.where(torch.rand(n, 1, 1, 1, generator=generator) < 0.15, torch.lerp(x, blurred, 0.6), x)
    x = x.clamp(1e-4, 1).pow(uniform(0.7, 1.3, 1, 1, 1)) * uniform(0.7, 1.3, 1, 1, 1)
    return x.clamp(0, 1)


def nothing(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """As many pictures that are no digit, fitted as digits are: a third each of scribbles, of several digits on top
    of each other, and of blots."""
    n = len(x)
    third = n // 3
    return torch.cat([scribbles(third, generator), tangles(x, third, generator), blots(n - 2 * third, generator)])


def scribbles(n: int, generator: torch.Generator, points: int = 160) -> torch.Tensor:
    """Zigzags and loose curves through 8 to 24 random points, with pens of many widths."""
    knots = torch.rand(n, 24, 2, generator=generator)
    # Half of them go to and fro from left to right.
    across = torch.linspace(0, 1, 24).repeat(n, 1) + 0.1 * torch.randn(n, 24, generator=generator)
    to_and_fro = (torch.arange(24) % 2).repeat(n, 1) * 0.9 + 0.1 * torch.rand(n, 24, generator=generator)
    zigzag = torch.stack([across, to_and_fro], 2)
    upright = torch.rand(n, 1, 1, generator=generator) < 0.5
    zigzag = torch.where(upright, zigzag, zigzag.flip(2))
    knots = torch.where(torch.rand(n, 1, 1, generator=generator) < 0.5, knots, zigzag)
    used = torch.randint(8, 25, (n, 1), generator=generator)
    at = torch.linspace(0, 1, points).repeat(n, 1) * (used - 1)
    first = at.floor().long().clamp(max=22)
    part = (at - first).unsqueeze(2)
    from_knot, to_knot = (knots.gather(1, index.unsqueeze(2).expand(-1, -1, 2)) for index in (first, first + 1))
    line = torch.lerp(from_knot, to_knot, part)
    low, high = line.amin(1, keepdim=True), line.amax(1, keepdim=True)
    line = (line - low) / (high - low).amax(2, keepdim=True).clamp(min=1e-3) * 18
    line = line + 14 - line.mean(1, keepdim=True)
    pixels = torch.stack(torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="xy"), 2).view(1, 784, 2)
    distance = torch.cdist(pixels.expand(n, -1, -1), line).amin(2)
    width = torch.rand(n, 1, generator=generator) * 1.6 + 0.6
    return (width + 0.5 - distance).clamp(0, 1).view(n, 1, 28, 28)


def tangles(x: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
    """Two or three digits over each other, shifted apart."""

    def below(bound: int) -> int:
        return int(torch.randint(bound, (), generator=generator))

    def some() -> torch.Tensor:
        return x[torch.randint(len(x), (n,), generator=generator)]

    def moved(y: torch.Tensor) -> torch.Tensor:
        return y.roll([(4 + below(5)) * (1 - 2 * below(2)) for _ in range(2)], (2, 3))

    third = some() * (torch.rand(n, 1, 1, 1, generator=generator) < 0.5)
    return torch.maximum(torch.maximum(some(), moved(some())), moved(third))


def blots(n: int, generator: torch.Generator) -> torch.Tensor:
    """Noise of several grains, cut at a random level, within the box that ink is fitted to."""
    grain = [4, 6, 9, 14][int(torch.randint(4, (1,), generator=generator))]
    noise = F.interpolate(torch.rand(n, 1, grain, grain, generator=generator), (20, 20), mode="bicubic")
    level = torch.rand(n, 1, 1, 1, generator=generator) * 0.5 + 0.25
    return F.pad(((noise - level) * 6).clamp(0, 1), (4, 4, 4, 4))


class Views(nn.Module):
    """The mean of the logits of a picture and of the same a pixel up and to the left: strided convolutions sample the two
    at other places."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        # A kernel of one 1 moves; padding and slicing are a dozen operators in ONNX.
        self.register_buffer("move", F.one_hot(torch.tensor(8), 9).float().view(1, 1, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.network(x) + self.network(F.conv2d(x, self.move, padding=1))) / 2


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of weights and batch norm's statistics."""
    for old, new in zip(average.state_dict().values(), network.state_dict().values()):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)


@torch.no_grad()
def unreadable(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Drawn digits that nobody could read, or whose ink was not found: they teach the network to guess."""
    given = logits_of(network, images).softmax(1).gather(1, labels[:, None])[:, 0]
    return (given < UNREADABLE) & (labels != NO_DIGIT)


def train(
    network: nn.Module, images: torch.Tensor, labels: torch.Tensor, drawn: int, args: argparse.Namespace, report
) -> nn.Module:
    """The last `drawn` pictures are render.py's, the others MNIST's, which are seen twice an epoch."""
    generator = torch.Generator().manual_seed(args.seed)
    decay = [p for p in network.parameters() if p.ndim > 1]
    rest = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}])
    mnist = len(images) - drawn
    pool = torch.cat([torch.arange(len(images)), torch.arange(mnist)])
    steps = len(pool) // args.batch * args.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps)
    average = copy.deepcopy(network)
    step = 0
    for epoch in range(args.epochs):
        network.train()
        started, total = time.time(), 0.0
        if drawn and epoch == args.epochs // 4:
            gone = mnist + unreadable(average, images[mnist:], labels[mnist:]).nonzero()[:, 0]
            pool[gone] = torch.randint(mnist, (len(gone),), generator=generator)
            print(f"{len(gone)} of {drawn} drawn pictures are unreadable; MNIST's stand in for them", flush=True)
        order = pool[torch.randperm(len(pool), generator=generator)]
        for batch in order.split(args.batch):
            if len(batch) < args.batch:
                continue
            x = images[batch]
            others = nothing(x[labels[batch] != NO_DIGIT][: len(x) // 12], generator)
            both = augment(torch.cat([x, others]), generator).contiguous(memory_format=torch.channels_last)
            truth = torch.cat([labels[batch], torch.full((len(others),), NO_DIGIT)])
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                logits = network(both).float()
            loss = F.cross_entropy(logits, truth, label_smoothing=0.05)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            follow(average, network, min(0.998, step / (step + 10)))
            total += loss.item()
        report(epoch, total / (len(pool) // args.batch), time.time() - started, average)
    return average


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """0 where there are none."""
    return (logits.argmax(1) == labels).float().mean().item() if len(labels) else 0.0


@torch.no_grad()
def logits_of(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    network.eval()
    return torch.cat([network(batch) for batch in images.split(1_000)])


def fitted_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """That of the least calibration error."""
    candidates = torch.linspace(0.3, 2.0, 171)
    errors = [calibration_error(logits / t, labels) for t in candidates]
    return float(candidates[int(np.argmin(errors))])


def calibration_error(logits: torch.Tensor, labels: torch.Tensor, bins: int = 15) -> float:
    """Expected calibration error with equal-width bins (Guo et al. 2017)."""
    confidence, guess = logits.softmax(1).max(1)
    bin_of = (confidence * bins).long().clamp(max=bins - 1)
    error = 0.0
    for b in range(bins):
        inside = bin_of == b
        if inside.any():
            gap = (guess[inside] == labels[inside]).float().mean() - confidence[inside].mean()
            error += inside.float().mean().item() * abs(gap.item())
    return error


def folded(network: Digits, temperature: float) -> nn.Module:
    """The same function without batch norm, dropout and temperature as layers of their own."""
    layers = []
    modules = list(network.features)
    for convolution, norm, relu in zip(modules[0::3], modules[1::3], modules[2::3]):
        layers += [torch.nn.utils.fusion.fuse_conv_bn_eval(convolution.eval(), norm.eval()), relu]
    head = nn.Linear(network.head.in_features, CLASSES)
    with torch.no_grad():
        head.weight.copy_(network.head.weight / temperature)
        head.bias.copy_(network.head.bias / temperature)
    return nn.Sequential(*layers, nn.Flatten(), head).eval()


def export(network: nn.Module, path: pathlib.Path) -> None:
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, 28, 28),),
        str(path),
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=pathlib.Path, required=True, help="folder with MNIST's four files")
    parser.add_argument("--prepared", type=pathlib.Path, nargs="*", default=[], help="by `spotter model prepare`")
    parser.add_argument("--held-out", type=pathlib.Path, help="the same, of pictures that do not train")
    parser.add_argument("--all", action="store_true", help="hold out none of MNIST's 60,000, once the recipe is chosen")
    parser.add_argument("--temperature", type=float, help="instead of the fitted one; with --all that of the chosen recipe")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--width", choices=WIDTHS, default="large")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 convolutions: faster where the CPU has them")
    parser.add_argument("--test", action="store_true", help="look at the test set (once, at the end)")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    images, labels = load(args.mnist, "train")
    mnist = len(images) if args.all else len(images) - HELD_OUT
    held_images, held_labels = images[mnist:], labels[mnist:]
    images, labels = images[:mnist], labels[:mnist]
    for path in args.prepared:
        more, more_labels = load_prepared(path)
        images, labels = torch.cat([images, more]), torch.cat([labels, more_labels])
    drawn, drawn_labels = load_prepared(args.held_out) if args.held_out else (held_images[:0], held_labels[:0])

    network = Digits(WIDTHS[args.width], args.dropout).to(memory_format=torch.channels_last)

    def report(epoch: int, loss: float, seconds: float, averaged: nn.Module) -> None:
        right = accuracy(logits_of(averaged, held_images)[:, :NO_DIGIT], held_labels)
        drawn_right = accuracy(logits_of(averaged, drawn), drawn_labels)
        print(f"epoch {epoch + 1:3}  loss {loss:.4f}  MNIST {right:.4%}  drawn {drawn_right:.3%}  {seconds:.0f} s", flush=True)

    averaged = train(network, images, labels, len(images) - mnist, args, report)
    held_logits = logits_of(Views(averaged), torch.cat([held_images, drawn]))
    held_truth = torch.cat([held_labels, drawn_labels])
    temperature = args.temperature or fitted_temperature(held_logits, held_truth)
    final = Views(folded(averaged, temperature))
    results = {
        "width": args.width,
        "epochs": args.epochs,
        "seed": args.seed,
        "parameters": sum(p.numel() for p in final.parameters()),
        "temperature": round(temperature, 3),
        "held_out_accuracy": accuracy(held_logits[: len(held_labels), :NO_DIGIT], held_labels),
        "drawn_accuracy": accuracy(held_logits[len(held_labels) :], drawn_labels),
        "calibration_error": calibration_error(held_logits / temperature, held_truth),
    }
    if args.test:
        test_images, test_labels = load(args.mnist, "t10k")
        test_logits = logits_of(final, test_images)
        results["test_accuracy"] = accuracy(test_logits[:, :NO_DIGIT], test_labels)
        results["test_calibration_error"] = calibration_error(test_logits, test_labels)
    export(final, args.out / "model.onnx")
    (args.out / "report.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
