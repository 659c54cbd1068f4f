-- Schema 1 to 2 of the embedded home: corrections are listed together. No row is rewritten, only the logs' indexes.
ALTER TABLE records ADD COLUMN listed_model TEXT
    AS (CASE WHEN model GLOB 'human@*' AND instr(model, '/') = 0 THEN 'human' ELSE model END);
DROP INDEX by_time;
DROP INDEX by_label;
CREATE INDEX by_time ON records (listed_model, event_time DESC, object_hash DESC, seq DESC, version DESC, model DESC);
CREATE INDEX by_label
    ON records (listed_model, listed_as, event_time DESC, object_hash DESC, seq DESC, version DESC, model DESC);
