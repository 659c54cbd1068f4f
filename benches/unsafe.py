#!/usr/bin/env python3
"""How much `unsafe` is below the function: of each crate in its tree, the lines that open an unsafe block, function,
implementation or trait, C and assembly left out of the count, and whether the crate forbids it.

    benches/unsafe.py [PACKAGE]     the package is spotter-lambda

A count by words, not by a compiler: comments and strings are left out, `cfg` is not looked at, so code for other
processors counts too."""

import json
import re
import subprocess
import sys
from pathlib import Path

PACKAGE = sys.argv[1] if len(sys.argv) > 1 else "spotter-lambda"
UNSAFE = re.compile(r"\bunsafe\s*(\{|fn\b|impl\b|trait\b|extern\b)")
FORBIDS = re.compile(r"#!\[(?:cfg_attr\([^)]*,\s*)?(forbid|deny)\([^]]*unsafe_code")
NOT_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", re.DOTALL)


def cargo(*arguments):
    command = ["cargo", *arguments, "--locked", "--offline"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def count(folder):
    lines = 0
    for file in (folder / "src").rglob("*.rs"):
        if "test" not in file.name:
            lines += len(UNSAFE.findall(NOT_CODE.sub("", file.read_text(errors="replace"))))
    root = folder / "src/lib.rs"
    forbids = FORBIDS.search(root.read_text(errors="replace")) if root.is_file() else None
    return lines, forbids.group(1) if forbids else ""


def main():
    tree = cargo("tree", "--package", PACKAGE, "--edges", "normal", "--prefix", "none", "--format", "{p}")
    used = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    packages = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"))
    rows = []
    for package in packages["packages"]:
        if (package["name"], "v" + package["version"]) in used:
            lines, forbids = count(Path(package["manifest_path"]).parent)
            rows.append((lines, package["name"], package["version"], forbids))
    rows.sort(key=lambda row: (-row[0], row[1]))
    none = sum(1 for lines, *_ in rows if lines == 0)
    forbidding = sum(1 for *_, forbids in rows if forbids)
    print(f"{len(rows)} crates: {none} without unsafe, {forbidding} of them or others forbid or deny it; "
          f"{sum(row[0] for row in rows)} places in {len(rows) - none}")
    for lines, name, version, forbids in rows:
        if lines:
            print(f"{lines:6}  {name} {version}  {forbids}")


main()
