"""A folder for each label, with the pictures that people have checked, as training scripts like to read them.

spotter export --corrected --output corrected.parquet
python3 training_set.py corrected.parquet training/
"""

import sys
from pathlib import Path

import pyarrow.parquet

exported = pyarrow.parquet.ParquetFile(sys.argv[1])
number = 0
for batch in exported.iter_batches(columns=["label", "seen"]):
    for row in batch.to_pylist():
        if row["seen"]:
            folder = Path(sys.argv[2], row["label"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:06}.png").write_bytes(row["seen"])
            number += 1
print(f"{number} pictures")
