"""What a good engineer would write in Python: encoded bytes to a label, with Pillow, numpy and onnxruntime (and OpenCV, where asked for).

It speaks as lambda/examples/pictures.rs does: lines of `WHAT COUNT PATH`, each answered by the seconds of the processor that all COUNT took, the peak
of resident memory in kB, and the last label. WHAT is `model` (the network alone), `label` (Pillow), `draft` (Pillow, and libjpeg gives luma
at an eighth or a quarter of the size) or `opencv` (the same by OpenCV; a twelve-megapixel picture at an eighth).

A picture of 28x28 is taken as it is, light on dark. Of any other the digit is cut out, its longer side fitted to 20 pixels, its mass
centred in 28x28, as MNIST was made: paper is the median, ink what is further from it than half of the furthest. No uneven light, lines,
specks or second digits are looked for, as Spotter does; this is the plain way, and the faster one.
"""

import io
import sys
import time

import numpy as np
import onnxruntime
from PIL import Image

# Longer side, in pixels, in which the digit is looked for; and that libjpeg must not go below.
WORKING, LEAST = 256, 128


class Peer:
    def __init__(self, network):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def logits(self, tensor):
        return self.session.run(None, {self.input: tensor})[0]

    def answer(self, seen):
        logits = self.logits(seen[None, None])[0]
        odds = np.exp(logits - logits.max())
        best = int(odds.argmax())
        return best, float(odds[best] / odds.sum())

    def label(self, encoded):
        return self.answer(seen(Image.open(io.BytesIO(encoded)).convert("L")))

    def draft(self, encoded):
        picture = Image.open(io.BytesIO(encoded))
        picture.draft("L", (LEAST, LEAST))
        return self.answer(seen(picture.convert("L")))

    def opencv(self, encoded):
        import cv2

        cv2.setNumThreads(1)
        flag = cv2.IMREAD_REDUCED_GRAYSCALE_8 if len(encoded) > 1_000_000 else cv2.IMREAD_REDUCED_GRAYSCALE_4
        return self.answer(seen(Image.fromarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), flag))))


def seen(grey):
    """28x28 numbers of 0 to 1, ink 1."""
    if grey.size == (28, 28):
        return np.asarray(grey, np.float32) / 255
    grey = grey.reduce(max(1, -(-max(grey.size) // WORKING)))
    values = np.asarray(grey, np.int16)
    ink = values - np.int16(np.median(values))
    ink = -ink if -ink.min() > ink.max() else ink
    mask = ink * 2 > ink.max()
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    cut = np.clip(ink[top:bottom, left:right] * (255 / ink.max()), 0, 255).astype(np.uint8)
    scale = 20 / max(cut.shape)
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BOX), np.float32) / 255
    mass = small.sum()
    y = round(14 - float((small.sum(1) @ np.arange(size[1]) + mass / 2) / mass))
    x = round(14 - float((small.sum(0) @ np.arange(size[0]) + mass / 2) / mass))
    y, x = min(max(y, 0), 28 - size[1]), min(max(x, 0), 28 - size[0])
    out = np.zeros((28, 28), np.float32)
    out[y : y + size[1], x : x + size[0]] = small
    return out


def peak():
    with open("/proc/self/status") as status:
        return next(line.split()[1] for line in status if line.startswith("VmHWM:"))


def main():
    peer = Peer(sys.argv[1])
    for line in sys.stdin:
        what, count, path = line.rstrip("\n").split(" ", 2)
        with open(path, "rb") as file:
            encoded = file.read()
        if what == "model":
            tensor = seen(Image.open(io.BytesIO(encoded)).convert("L"))[None, None]
            run = lambda: (int(peer.logits(tensor).argmax()), 1.0)
        else:
            way = getattr(peer, what)
            run = lambda: way(encoded)
        started = time.process_time()
        for _ in range(int(count)):
            best = run()
        print(time.process_time() - started, peak(), best[0], flush=True)


if __name__ == "__main__":
    main()
