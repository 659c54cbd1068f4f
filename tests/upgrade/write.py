"""What a version of Spotter leaves behind: a data folder as SQL, for tests/upgrade.rs.

    git worktree add ../former TAG && cargo build --manifest-path ../former/Cargo.toml
    python3 tests/upgrade/write.py ../former/target/debug/spotter

writes records-N.sql and objects-N.sql here, N being the schema of its records. Needs the AWS CLI. Pictures are
samples/, drawn ones; their bytes are not in the SQL: the trial has them.
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent.parent / "samples"


def main(binary):
    with tempfile.TemporaryDirectory() as home:
        env = {"HOME": home, "PATH": os.environ["PATH"], "AWS_PAGER": "", "AWS_DEFAULT_REGION": "us-east-1"}
        data = Path(home) / ".local/share/spotter"
        serve = subprocess.Popen([binary, "serve", "--port", "0", "--page-port", "0"], env=env, stdout=subprocess.PIPE)
        try:
            url = serve.stdout.readline().split()[1].decode()
            shell = subprocess.run([binary, "env"], env=env, stdout=subprocess.PIPE, check=True, text=True).stdout
            env |= {"AWS_ENDPOINT_URL": url} | dict(re.findall(r"export (\w+)='?([^'\n]*)'?", shell))
            scene(binary, env, data, serve)
        finally:
            end(serve)
        version = write("records", data / "records.sqlite")
        write("objects", data / "objects/objects.sqlite", version)


def scene(binary, env, data, serve):
    def aws(*arguments):
        command = ["aws", *arguments, "--endpoint-url", env["AWS_ENDPOINT_URL"]]
        return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE).stdout

    def put(name, key, bucket="pictures"):
        aws("s3", "cp", "--quiet", str(SAMPLES / name), f"s3://{bucket}/{key}")

    put("8.bmp", "8.bmp")
    put("1.png", "a b+c/一.png")
    put("1.png", "overwritten.png")
    put("4.gif", "overwritten.png")
    put("notes.png", "notes.png")
    put("8 small.png", "gone.png")
    aws("s3api", "create-bucket", "--bucket", "kept")
    aws("s3api", "put-bucket-versioning", "--bucket", "kept", "--versioning-configuration", "Status=Enabled")
    put("1.png", "versions.png", "kept")
    put("4.gif", "versions.png", "kept")
    settled(data)
    aws("s3", "rm", "--quiet", "s3://pictures/gone.png")
    aws("s3", "rm", "--quiet", "s3://kept/versions.png")
    settled(data)
    if subprocess.run([binary, "correct", "--help"], env=env, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode == 0:
        for label in ["5", "3"]:
            subprocess.run([binary, "correct", "s3://pictures/8.bmp", label], env=env, check=True,
                           stdout=subprocess.DEVNULL)
    upload = json.loads(aws("s3api", "create-multipart-upload", "--bucket", "pictures", "--key", "parts.png"))["UploadId"]
    part = ["--part-number", "1", "--body", str(SAMPLES / "2 red brush.png")]
    aws("s3api", "upload-part", "--bucket", "pictures", "--key", "parts.png", "--upload-id", upload, *part)
    # Who holds the records keeps what comes now in the queue, until the kill.
    holds = sqlite3.connect(data / "records.sqlite", isolation_level=None)
    holds.execute("BEGIN IMMEDIATE")
    put("3+chalk.webp", "queued.webp")
    aws("s3", "rm", "--quiet", "s3://pictures/overwritten.png")
    end(serve)
    holds.execute("ROLLBACK")


def end(serve):
    serve.kill()
    serve.wait()


def settled(data):
    with sqlite3.connect(data / "objects/objects.sqlite") as objects:
        while objects.execute("SELECT count(*) FROM outbox").fetchone()[0]:
            time.sleep(0.1)


def write(name, file, version=None):
    with sqlite3.connect(file) as database:
        pragmas = {pragma: database.execute(f"PRAGMA {pragma}").fetchone()[0]
                   for pragma in ["application_id", "user_version"]}
        version = version or pragmas["user_version"]
        lines = [line for line in database.iterdump() if line not in ("BEGIN TRANSACTION;", "COMMIT;")]
    lines += [f"PRAGMA {pragma} = {value};" for pragma, value in pragmas.items()]
    (HERE / f"{name}-{version}.sql").write_text("\n".join(lines) + "\n")
    return version


if __name__ == "__main__":
    main(*sys.argv[1:])
