#!/usr/bin/env python3
"""How well a model reads people's pictures, by kind and source, and what its confidence is worth.

    cargo build --release
    python measure.py --pictures DIR [--spotter ../../target/release/spotter] [--model FOLDER]

DIR has `manifest.tsv` (a line a picture: path, label, source, kind, separated by tabs; the first line names the columns) and
perhaps a folder `not-digits`; or it has a folder a label, as render.py writes them, `x` for what is no digit and `several`. Pictures go the
whole way through `spotter classify`. Prints Markdown tables: right and sure by kind, right by source, the area under the ROC
curve of confidence (a digit against none), the expected calibration error, and what each threshold costs.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import subprocess

import numpy as np

FILES_A_CALL = 500
BINS = 15
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


@dataclasses.dataclass
class Picture:
    path: pathlib.Path
    label: str | None  # None: no digit
    source: str
    kind: str
    guess: str | None = None
    confidence: float = 0.0
    status: str = ""
    reason: str | None = None

    @property
    def right(self) -> bool:
        return self.guess == self.label


def listed(folder: pathlib.Path) -> list[Picture]:
    manifest = folder / "manifest.tsv"
    if manifest.exists():
        rows = [line.split("\t")[:4] for line in manifest.read_text().splitlines()[1:]]
        pictures = [Picture(folder / path, label, source, kind) for path, label, source, kind in rows]
        others = sorted(path for path in (folder / "not-digits").rglob("*") if path.is_file())
        return pictures + [Picture(path, None, "", path.parent.name) for path in others]
    found = sorted(path for path in folder.glob("*/*") if path.is_file())
    label = {path: path.parent.name for path in found}
    return [Picture(path, label[path] if label[path] != "x" else None, "", path.name.split("-")[0]) for path in found]


def classify(pictures: list[Picture], command: list[str]) -> None:
    by_path = {str(picture.path): picture for picture in pictures}
    paths = list(by_path)
    for start in range(0, len(paths), FILES_A_CALL):
        called = [*command, "classify", "--format", "json", *paths[start : start + FILES_A_CALL]]
        output = subprocess.run(called, check=True, capture_output=True, text=True).stdout
        for line in map(json.loads, output.splitlines()):
            picture = by_path[line["path"]]
            picture.guess, picture.confidence = line["label"], line["confidence"] or 0.0
            picture.status, picture.reason = line["status"], line["reason"]


def percent(part: int, whole: int) -> str:
    return f"{part} of {whole}, {part / whole:.1%}" if whole else "–"


def by_kind(digits: list[Picture]) -> None:
    print("| kind | right | sure and right | sure and wrong |\n|---|---|---|---|")
    kinds = collections.defaultdict(list)
    for picture in digits:
        kinds[picture.kind].append(picture)
    for kind, of_kind in [*kinds.items(), ("all", digits)]:
        sure = [picture for picture in of_kind if picture.status == "classified"]
        right = sum(picture.right for picture in sure)
        print(f"| {kind} | {percent(sum(p.right for p in of_kind), len(of_kind))} | {right} | {len(sure) - right} |")


def by_source(digits: list[Picture]) -> None:
    sources = collections.defaultdict(list)
    for picture in digits:
        sources[(picture.kind, picture.source)].append(picture)
    if len(sources) > len({picture.kind for picture in digits}):
        print("\n| kind | source | right |\n|---|---|---|")
        for (kind, source), of_source in sorted(sources.items()):
            print(f"| {kind} | {source} | {sum(p.right for p in of_source)} of {len(of_source)} |")


def area_under_curve(digits: list[Picture], others: list[Picture]) -> float:
    ours = np.array([picture.confidence for picture in digits])[:, None]
    theirs = np.array([picture.confidence for picture in others])[None]
    return float(((ours > theirs) + 0.5 * (ours == theirs)).mean())


def calibration_error(digits: list[Picture]) -> float:
    """With equal-width bins (Guo et al. 2017)."""
    confidence = np.array([picture.confidence for picture in digits])
    right = np.array([picture.right for picture in digits])
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [(bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in set(bins)]
    return float(sum(gaps))


def trade_off(digits: list[Picture], others: list[Picture]) -> None:
    print("\n| threshold | digits sure and right | digits sure and wrong | no digits that are sure |\n|---|---|---|---|")

    def share(of: list[Picture], threshold: float, which) -> str:
        # One of several objects is never sure.
        sure = [p for p in of if p.confidence >= threshold and p.reason != "several_objects"]
        return f"{sum(map(which, sure)) / len(of):.2%}"

    for threshold in THRESHOLDS:
        right = share(digits, threshold, lambda picture: picture.right)
        wrong = share(digits, threshold, lambda picture: not picture.right)
        print(f"| {threshold} | {right} | {wrong} | {share(others, threshold, lambda _: True)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=pathlib.Path, required=True)
    here = pathlib.Path(__file__).parent
    parser.add_argument("--spotter", type=pathlib.Path, default=here / "../../target/release/spotter")
    parser.add_argument("--model", help="another model than the one in the binary")
    args = parser.parse_args()

    pictures = listed(args.pictures)
    classify(pictures, [str(args.spotter), *(["--model", args.model] if args.model else [])])
    several = [picture for picture in pictures if picture.label == "several"]
    if several:
        print(f"several digits: {percent(sum(p.reason == 'several_objects' for p in several), len(several))} are noticed")
        print(f"sure all the same: {percent(sum(p.status == 'classified' for p in several), len(several))}\n")
    digits = [picture for picture in pictures if picture.label not in (None, "several")]
    others = [picture for picture in pictures if picture.label is None]
    if not digits:
        return
    by_kind(digits)
    by_source(digits)
    print(f"\nexpected calibration error of digits: {calibration_error(digits):.4f}")
    reasons = collections.Counter(picture.reason for picture in digits if picture.reason)
    print(f"why digits are not sure: {dict(reasons)}")
    if others:
        sure = sum(picture.status == "classified" for picture in others)
        reasons = collections.Counter(picture.reason for picture in others if picture.reason)
        print(f"no digits: {percent(sure, len(others))} are sure; the others: {dict(reasons)}")
        print(f"area under the ROC curve, digit against none: {area_under_curve(digits, others):.4f}")
        trade_off(digits, others)
    for picture in digits:
        if not picture.right and len(digits) < 1_000:
            print(f"wrong: {picture.path.relative_to(args.pictures)} read as {picture.guess} ({picture.confidence:.3f})")


if __name__ == "__main__":
    main()
