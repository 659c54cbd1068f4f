#!/usr/bin/env python3
"""From a picture's bytes to its label: Spotter's function beside Python, in turns on one core.

    python3 benches/beside_python.py [ROUNDS]

Makes the Python side's virtual environment in target/, builds lambda/examples/pictures.rs as the function is built (`cargo lambda build --release`,
which must be on the PATH), and draws the pictures (benches/beside_python_pictures.py). Each round runs both sides on the same
picture, one after the other, for about as long; both are pinned to one core and have one thread. What is timed is the processor's time of
each, since others may have the machine too. Printed are medians, ninth deciles, and the
median and the middle nine tenths of the ratios of the same rounds; then the peak memory of processes that did only that. Linux.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
VENV = TARGET / "beside-python"
CORE = max(os.sched_getaffinity(0))
ROUND = 0.3  # seconds of a side in a round, about

# What, picture, Spotter's side, Python's side, goal of Python's time by Spotter's.
ROWS = [
    ("network alone", "28.png", "model", "model", "1/1.3"),
    ("28x28 PNG", "28.png", "label", "label", "2"),
    ("1 megapixel JPEG", "1.jpg", "label", "label", "2"),
    ("1 megapixel JPEG, draft", "1.jpg", "label", "draft", ""),
    ("1 megapixel JPEG, OpenCV at a quarter", "1.jpg", "label", "opencv", ""),
    ("12 megapixel JPEG", "12.jpg", "label", "label", ""),
    ("12 megapixel JPEG, draft", "12.jpg", "label", "draft", "2"),
    ("12 megapixel JPEG, OpenCV at an eighth", "12.jpg", "label", "opencv", "2"),
    ("12 megapixel PNG, photo", "12.png", "label", "label", "2.5"),
    ("12 megapixel PNG, drawn", "12-drawn.png", "label", "label", "2.5"),
]
MEMORY = [("28x28 PNG", "28.png", "label"), ("12 megapixel JPEG, draft", "12.jpg", "draft"), ("12 megapixel PNG", "12.png", "label")]


def python():
    wanted = HERE / "beside_python.txt"
    installed = VENV / "installed.txt"
    if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        pip = [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", wanted]
        subprocess.run(pip, check=True)
        installed.write_bytes(wanted.read_bytes())
    return VENV / "bin/python"


def build():
    command = ["cargo", "lambda", "build", "--release", "--locked", "--package", "spotter-lambda", "--example", "pictures"]
    subprocess.run(command, cwd=ROOT, check=True)
    return TARGET / "lambda/pictures/bootstrap"


class Side:
    """One of the two processes."""

    def __init__(self, command):
        one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")}
        self.process = subprocess.Popen(
            ["taskset", "--cpu-list", str(CORE), *map(str, command)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **one},
        )  # fmt: skip

    def run(self, what, count, path):
        self.process.stdin.write(f"{what} {count} {path}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            sys.exit(f"{self.process.args[3]} ended at {what} {path}")
        return float(answer[0]) / count, int(answer[1]), answer[2]

    def warm_up(self, what, path):
        """How many make a round, and what the answer is."""
        count, seconds = 1, 0
        while seconds * count < ROUND / 10:
            count *= 2
            seconds, _, answer = self.run(what, count, path)
        return max(1, round(ROUND / seconds)), answer

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def at(values, share):
    values = sorted(values)
    return values[round((len(values) - 1) * share)]


def milliseconds(seconds):
    return f"{at(seconds, 0.5) * 1e3:.3f} ({at(seconds, 0.9) * 1e3:.3f}) ms"


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    peer = [python(), HERE / "beside_python_peer.py", ROOT / "model/digits/model.onnx"]
    ours = [build()]
    with tempfile.TemporaryDirectory() as folder:
        draw = [peer[0], "-c", f"import beside_python_pictures as p, pathlib; p.draw(pathlib.Path({folder!r}))"]
        subprocess.run(draw, cwd=HERE, check=True)
        print(f"{rounds} rounds on core {CORE}; medians (ninth deciles); ratios are of the same rounds\n")
        print("| picture | Spotter | Python | Python's time by Spotter's: median (5 %, 95 %) | goal |\n|---|---|---|---|---|")
        spotter, python_side = Side(ours), Side(peer)
        for name, picture, what, their_what, goal in ROWS:
            path = f"{folder}/{picture}"
            counts, answers = zip(spotter.warm_up(what, path), python_side.warm_up(their_what, path))
            if set(answers) != {"7"}:
                sys.exit(f"{name}: a 7 was drawn, and the answers are {answers}")
            mine, theirs = [], []
            for _ in range(rounds):
                mine.append(spotter.run(what, counts[0], path)[0])
                theirs.append(python_side.run(their_what, counts[1], path)[0])
            ratios = [b / a for a, b in zip(mine, theirs)]
            spread = f"**{at(ratios, 0.5):.2f}** ({at(ratios, 0.05):.2f}, {at(ratios, 0.95):.2f})"
            print(f"| {name} | {milliseconds(mine)} | {milliseconds(theirs)} | {spread} | {goal} |", flush=True)
        spotter.end(), python_side.end()
        print("\n| peak resident memory | Spotter | Python | share |\n|---|---|---|---|")
        for name, picture, their_what in MEMORY:
            kilobytes = []
            for command, way in ((ours, "label"), (peer, their_what)):
                side = Side(command)
                kilobytes.append(side.run(way, 5, f"{folder}/{picture}")[1])
                side.end()
            mine, theirs = kilobytes
            print(f"| {name} | {mine / 1e3:.1f} MB | {theirs / 1e3:.1f} MB | {mine / theirs:.2f} |")


if __name__ == "__main__":
    main()
