-- Schema 2 to 3 of the embedded home: a picture may have several labels. No row is rewritten.
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
