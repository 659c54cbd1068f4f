CREATE TABLE buckets (
        name TEXT PRIMARY KEY,
        created INTEGER NOT NULL,
        versioning TEXT
    ) WITHOUT ROWID;
INSERT INTO "buckets" VALUES('kept',1795346277899,'Enabled');
INSERT INTO "buckets" VALUES('pictures',1795346256631,NULL);
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
INSERT INTO "clock" VALUES(1,1795346306479507);
CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        body TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        due INTEGER NOT NULL DEFAULT 0
    );
INSERT INTO "outbox" VALUES(1795346303170457,'{"Records":[{"awsRegion":"us-east-1","eventName":"ObjectCreated:Put","eventSource":"aws:s3","eventTime":"2026-11-22T11:18:23.170Z","eventVersion":"2.1","requestParameters":{"sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-id-2":"e4f2a8b95e14242c5e6b658dbcefdb17baaf13522c55f0fa2d92ec8528637d90","x-amz-request-id":"E4F2A8B95E14242C"},"s3":{"bucket":{"arn":"arn:aws:s3:::pictures","name":"pictures","ownerIdentity":{"principalId":"spotter"}},"configurationId":"spotter","object":{"eTag":"d16aaa0abf0f3ccff9b14569ef602649","key":"queued.webp","sequencer":"00000660DBA2A63799","size":9234},"s3SchemaVersion":"1.0"},"userIdentity":{"principalId":"spotter"}}]}',0,0);
INSERT INTO "outbox" VALUES(1795346306479507,'{"Records":[{"awsRegion":"us-east-1","eventName":"ObjectRemoved:Delete","eventSource":"aws:s3","eventTime":"2026-11-22T11:18:26.479Z","eventVersion":"2.1","requestParameters":{"sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-id-2":"39c4bc29d9526e8cf7adaa81e01e401e3281eac4d81a5c92d3614bc4e78aecb0","x-amz-request-id":"39C4BC29D9526E8C"},"s3":{"bucket":{"arn":"arn:aws:s3:::pictures","name":"pictures","ownerIdentity":{"principalId":"spotter"}},"configurationId":"spotter","object":{"key":"overwritten.png","sequencer":"00000660DBA2D8B593"},"s3SchemaVersion":"1.0"},"userIdentity":{"principalId":"spotter"}}]}',0,0);
CREATE TABLE parts (
        upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        blob TEXT NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        checksums TEXT NOT NULL,
        modified INTEGER NOT NULL,
        PRIMARY KEY (upload, n)
    ) WITHOUT ROWID;
INSERT INTO "parts" VALUES('0000000000000000000660dba25b8a2a',1,'3967acdfc406fbef9acd22a805042eb0fdb07edeb21500c23500bcf423510214',7870,'3d892d11393210f4f4a55d446bc65dc6','{"crc32":"yNIscg=="}',1795346300856);
CREATE TABLE segments (
        seq INTEGER NOT NULL REFERENCES versions (seq) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        blob TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (seq, n)
    ) WITHOUT ROWID;
INSERT INTO "segments" VALUES(1795346260305267,0,'5e1c0bce4630e9c5e8cc8cec5db3992b840c7da2874cdc98a9240a60ef1c9862',50454);
INSERT INTO "segments" VALUES(1795346263567599,0,'2974538973e00e7b92325bbf43e9c5eea21213bdf2751dae8fac49439425fbec',5387);
INSERT INTO "segments" VALUES(1795346271531410,0,'f1f561ee413fd22936f48aa3297e2769ab44be7a25745359652e4d661fae36bb',71);
INSERT INTO "segments" VALUES(1795346284635912,0,'2974538973e00e7b92325bbf43e9c5eea21213bdf2751dae8fac49439425fbec',5387);
INSERT INTO "segments" VALUES(1795346288143802,0,'2eb567572f2079eb2e978736f1d9341909620c403cac1286d1d1d5c086d54b3d',3082);
INSERT INTO "segments" VALUES(1795346303170457,0,'387956c59d1766d62e380534e41cd55e8345435ede2b49e2ae97ca3608bfbf35',9234);
CREATE TABLE uploads (
        id TEXT PRIMARY KEY,
        bucket TEXT NOT NULL REFERENCES buckets (name) ON DELETE CASCADE,
        key BLOB NOT NULL,
        initiated INTEGER NOT NULL,
        attributes TEXT NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "uploads" VALUES('0000000000000000000660dba25b8a2a','pictures',X'70617274732E706E67',1795346298276,'{"checksums":{}}');
CREATE TABLE versions (
        seq INTEGER PRIMARY KEY,
        bucket TEXT NOT NULL REFERENCES buckets (name),
        key BLOB NOT NULL,
        id TEXT NOT NULL,
        marker INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        attributes TEXT NOT NULL
    );
INSERT INTO "versions" VALUES(1795346260305267,'pictures',X'382E626D70','null',0,50454,'b686476c6ade5251eb50385eb8805012','{"content_type":"image/bmp","checksums":{"crc32":"KbelKw=="}}');
INSERT INTO "versions" VALUES(1795346263567599,'pictures',X'6120622B632FE4B8802E706E67','null',0,5387,'3d5fce463f486e07967eb084a9fb7be0','{"content_type":"image/png","checksums":{"crc32":"7O7q/Q=="}}');
INSERT INTO "versions" VALUES(1795346271531410,'pictures',X'6E6F7465732E706E67','null',0,71,'f201b0433b29b9a2d5e0febf689e1591','{"content_type":"image/png","checksums":{"crc32":"tEN5vQ=="}}');
INSERT INTO "versions" VALUES(1795346284635912,'kept',X'76657273696F6E732E706E67','0000000000000000000660dba18b6708',0,5387,'3d5fce463f486e07967eb084a9fb7be0','{"content_type":"image/png","checksums":{"crc32":"7O7q/Q=="}}');
INSERT INTO "versions" VALUES(1795346288143802,'kept',X'76657273696F6E732E706E67','0000000000000000000660dba1c0edba',0,3082,'3c84aca8c51596f10adf808c651506cd','{"content_type":"image/gif","checksums":{"crc32":"BHY8nQ=="}}');
INSERT INTO "versions" VALUES(1795346294855360,'kept',X'76657273696F6E732E706E67','0000000000000000000660dba22756c0',1,0,'d41d8cd98f00b204e9800998ecf8427e','{}');
INSERT INTO "versions" VALUES(1795346303170457,'pictures',X'7175657565642E77656270','null',0,9234,'d16aaa0abf0f3ccff9b14569ef602649','{"content_type":"image/webp","checksums":{"crc32":"KbXj6g=="}}');
CREATE UNIQUE INDEX versions_by_order ON versions (bucket, key, seq);
CREATE UNIQUE INDEX versions_by_id ON versions (bucket, key, id);
CREATE INDEX segments_by_blob ON segments (blob);
CREATE INDEX parts_by_blob ON parts (blob);
CREATE INDEX outbox_by_due ON outbox (due, id);
PRAGMA application_id = 0;
PRAGMA user_version = 1;
