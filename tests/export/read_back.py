"""Reads exports with DuckDB and pyarrow and compares each value with what `spotter list --json` says.

read_back.py list.jsonl export.jsonl export.csv export.parquet
"""

import base64
import json
import struct
import sys
from datetime import datetime, timezone

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

listed, json_lines, csv, parquet = sys.argv[1:]

TYPES = {
    "bucket": "string not null",
    "key": "string not null",
    "status": "string not null",
    "reason": "string",
    "why": "string",
    "label": "string",
    "confidence": "float",
    "top": "list<element: struct<label: string not null, confidence: float not null> not null> not null",
    "model": "string",
    "event_time": "timestamp[ms, tz=UTC] not null",
    "seq": "string",
    "version": "string",
    "version_id": "string",
    "etag": "string",
    "size": "int64",
    "content_type": "string",
    "width": "int64",
    "height": "int64",
    "seen": "binary",
}
TEXT = [name for name, type in TYPES.items() if type.startswith("string") or name in ("top", "event_time", "seen")]
DUCKDB = {name: "VARCHAR" if name in TEXT else "FLOAT" if name == "confidence" else "BIGINT" for name in TYPES}
ARROW = {name: {"VARCHAR": pa.string(), "FLOAT": pa.float32(), "BIGINT": pa.int64()}[DUCKDB[name]] for name in TYPES}
TOP = pa.list_(pa.struct({"label": pa.string(), "confidence": pa.float32()}))


def float32(number):
    return None if number is None else struct.unpack("f", struct.pack("f", number))[0]


def same(what, rows, expected):
    """Types that a file does not have are made of what it has; nothing else is."""
    assert len(rows) == len(expected), f"{what}: {len(rows)} rows, not {len(expected)}"
    for row, one in zip(rows, expected):
        assert list(row) == list(one), f"{what}: {list(row)}"
        for name, value in row.items():
            if name == "top":
                value = json.loads(value) if isinstance(value, str) else value
                value = [{"label": guess["label"], "confidence": float32(guess["confidence"])} for guess in value]
            if name == "event_time" and isinstance(value, int):
                value = datetime.fromtimestamp(value / 1000, timezone.utc).isoformat(timespec="milliseconds")
                value = value.replace("+00:00", "Z")
            if name == "seen" and isinstance(value, bytes):
                value = base64.b64encode(value).decode()
            wanted = one[name]
            if what.endswith("CSV") and wanted == "":
                wanted = None
            assert value == wanted, f"{what}: {one['key']!r}: {name} is {value!r}, not {wanted!r}"
    print(f"{what}: {len(rows)} rows, {len(expected) * len(TYPES)} values")


def rows_of(relation):
    return [dict(zip(relation.columns, row)) for row in relation.fetchall()]


def expect():
    """The rows of the list, with the `seen` of the JSON Lines, whose other fields are checked."""
    lines = [[json.loads(line) for line in open(path, encoding="utf-8", newline="\n")] for path in (listed, json_lines)]
    seen = [line.pop("seen") for line in lines[1]]
    assert lines[0] == lines[1], "JSON Lines are not those of the list"
    for row, picture in zip(lines[0], seen):
        row["seen"] = picture
        row["confidence"] = float32(row["confidence"])
        row["top"] = [{"label": guess["label"], "confidence": float32(guess["confidence"])} for guess in row["top"]]
    return lines[0]


expected = expect()

schema = pyarrow.parquet.read_schema(parquet)
types = {field.name: f"{field.type}{'' if field.nullable else ' not null'}" for field in schema}
assert types == TYPES, types

table = pyarrow.parquet.read_table(parquet)
table = table.set_column(table.column_names.index("event_time"), "event_time", table["event_time"].cast(pa.int64()))
same("pyarrow, Parquet", table.to_pylist(), expected)

table = pyarrow.json.read_json(
    json_lines,
    parse_options=pyarrow.json.ParseOptions(explicit_schema=pa.schema({**ARROW, "top": TOP})),
) if expected else None
same("pyarrow, JSON Lines", table.to_pylist() if table else [], expected)

table = pyarrow.csv.read_csv(
    csv,
    parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
    convert_options=pyarrow.csv.ConvertOptions(
        column_types=ARROW, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    ),
)
same("pyarrow, CSV", table.to_pylist(), expected)

millis = "SELECT * REPLACE (epoch_ms(event_time) AS event_time) FROM"
same("DuckDB, Parquet", rows_of(duckdb.sql(f"{millis} '{parquet}'")), expected)

columns = ", ".join(f"{name}: '{type}'" for name, type in {**DUCKDB, "top": "JSON"}.items())
query = f"FROM read_json('{json_lines}', format='newline_delimited', columns={{{columns}}})"
same("DuckDB, JSON Lines", rows_of(duckdb.sql(query)), expected)

columns = ", ".join(f"{name}: '{type}'" for name, type in DUCKDB.items())
query = f"FROM read_csv('{csv}', header=true, delim=',', quote='\"', escape='\"', columns={{{columns}}})"
same("DuckDB, CSV", rows_of(duckdb.sql(query)), expected)
