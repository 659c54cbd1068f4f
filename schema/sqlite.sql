-- Records in the embedded home. One row is one record; the indexes answer what Cassandra's tables answer.
CREATE TABLE records (
    bucket       TEXT NOT NULL,
    key          TEXT NOT NULL,
    seq          TEXT NOT NULL,
    event_time   INTEGER NOT NULL, -- milliseconds since 1970, UTC
    version      TEXT NOT NULL,
    model        TEXT NOT NULL,    -- name/version; '' for deletes and removals; human@time for corrections
    status       TEXT NOT NULL,
    reason       TEXT,
    why          TEXT NOT NULL,
    label        TEXT,
    confidence   REAL,
    top          TEXT NOT NULL,    -- JSON: [["7", 0.996], …], most confident first
    width        INTEGER,
    height       INTEGER,
    size         INTEGER,
    content_type TEXT,
    etag         TEXT,
    version_id   TEXT,
    seen         BLOB NOT NULL,    -- PNG
    object_hash  BLOB NOT NULL,    -- the first 16 bytes of SHA-256(bucket, NUL, key)
    listed_as    TEXT NOT NULL,    -- the label if classified, else the status
    listed_model TEXT AS (CASE WHEN model GLOB 'human@*' AND instr(model, '/') = 0 THEN 'human' ELSE model END)
) STRICT;

CREATE UNIQUE INDEX by_object ON records (bucket, key, seq DESC, event_time DESC, version DESC, model);
CREATE INDEX by_time ON records (listed_model, event_time DESC, object_hash DESC, seq DESC, version DESC, model DESC);
CREATE INDEX by_label
    ON records (listed_model, listed_as, event_time DESC, object_hash DESC, seq DESC, version DESC, model DESC);

-- What by_label lists a picture under beside its first label, where a model found several: the key of its record, and
-- one of them.
CREATE TABLE other_labels (
    bucket      TEXT NOT NULL,
    key         TEXT NOT NULL,
    seq         TEXT NOT NULL,
    event_time  INTEGER NOT NULL,
    version     TEXT NOT NULL,
    model       TEXT NOT NULL,
    label       TEXT NOT NULL,
    object_hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX other_labels_of ON other_labels (bucket, key, seq, event_time, version, model, label);
CREATE INDEX by_other_label ON other_labels (model, label, event_time DESC, object_hash DESC, seq DESC, version DESC);

-- One row: the model whose answers are shown, where nobody names one.
CREATE TABLE layout (
    one    TEXT PRIMARY KEY, -- 'layout'
    served TEXT
) STRICT;
