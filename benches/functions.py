"""The functions that the scripts beside this one run: how each is packed, started and asked."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile

from cassandra.cluster import Cluster

from pictures import NO_DIGIT
from sandbox import Sandbox
from serve import Serve

ROOT = pathlib.Path(__file__).parent.parent
SIXTY_LINES = ROOT / "benches" / "sixty-lines"
NODES = os.environ.get("SPOTTER_CASSANDRA", "127.0.0.1:9042")


def readable(binary: str, pool: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Those that the model reads as what was drawn: whether a picture is hard to read is not the question here."""
    with tempfile.TemporaryDirectory() as folder:
        files = {str(pathlib.Path(folder) / f"{at}.png"): one for at, one in enumerate(pool)}
        for file, (_, body) in files.items():
            pathlib.Path(file).write_bytes(body)
        command = [binary, "classify", "--format", "json", *files]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    answers = (json.loads(line) for line in lines)
    return [files[answer["path"]] for answer in answers if (answer["status"], answer["label"]) == ("classified", files[answer["path"]][0])]


class Function:
    name: str
    # In the names of buckets and files.
    short: str
    command: list[str]

    def __init__(self, serve: Serve, home: pathlib.Path, nodes: str = NODES):
        self.home, self.nodes, self.keyspace = home, nodes, f"ledger_{uuid.uuid4().hex[:8]}"
        self.log = os.environ.get("LEDGER_LOG", str(home / "function")) + f"-{self.short}.log"
        words = serve.environment()
        names = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), **{name: words[name] for name in names}}

    def sandbox(self, endpoint: str) -> Sandbox:
        return Sandbox(self.command, {**self.environment, "AWS_ENDPOINT_URL": endpoint}, self.log)

    def cql(self, statement: str) -> list:
        nodes = [node.split(":") for node in self.nodes.split(",")]
        with Cluster([host for host, _ in nodes], port=int(nodes[0][1])) as cluster:
            return list(cluster.connect().execute(statement, timeout=60))

    def close(self) -> None:
        """Its tables go."""
        self.cql(f"DROP KEYSPACE IF EXISTS {self.keyspace}")


class Spotter(Function):
    name, short = "Spotter", "spotter"

    def __init__(self, serve: Serve, home: pathlib.Path, bootstrap: str, nodes: str = NODES):
        super().__init__(serve, home, nodes)
        self.binary, self.packed = serve.binary, bootstrap
        program = home / "spotter" / "bootstrap"
        program.chmod(0o755)
        self.command = [str(program)]
        self.environment |= {"SPOTTER_CASSANDRA": nodes, "SPOTTER_KEYSPACE": self.keyspace}
        subprocess.run([self.binary, "schema", "apply"], env=self.environment, check=True, capture_output=True)

    def zip_mb(self) -> float:
        return os.path.getsize(self.packed) / 1e6

    def answers(self, bucket: str) -> dict[str, str]:
        command = [self.binary, "list", f"s3://{bucket}", "--current", "--json", "-n", "100000"]
        lines = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout
        rows = (json.loads(line) for line in lines.splitlines())
        return {row["key"]: row["label"] if row["status"] == "classified" else NO_DIGIT for row in rows}


class SixtyLines(Function):
    name, short = "sixty lines of Python", "python"
    # As Lambda's Python starts a handler.
    command = [sys.executable, "-m", "awslambdaric", "handler.handler"]

    def __init__(self, serve: Serve, home: pathlib.Path):
        super().__init__(serve, home)
        self.task = home / "sixty-lines"
        self.task.mkdir()
        shutil.copy(SIXTY_LINES / "handler.py", self.task)
        shutil.copy(ROOT / "model" / "digits" / "model.onnx", self.task)
        self.cql(f"CREATE KEYSPACE {self.keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
        table = (SIXTY_LINES / "schema.cql").read_text().replace("labels", f"{self.keyspace}.labels").strip().rstrip(";")
        self.cql(table)
        self.environment |= {"CASSANDRA": ",".join(node.split(":")[0] for node in self.nodes.split(",")), "KEYSPACE": self.keyspace, "PYTHONPATH": str(self.task),
                             "LAMBDA_TASK_ROOT": str(self.task), "_HANDLER": "handler.handler"}

    def zip_mb(self) -> float:
        packed = self.home / "packed"
        shutil.copytree(self.task, packed)
        requirements = ["--requirement", str(SIXTY_LINES / "requirements.txt")]
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packed), *requirements], check=True)
        return os.path.getsize(shutil.make_archive(str(self.home / "sixty-lines"), "zip", packed)) / 1e6

    def answers(self, bucket: str) -> dict[str, str]:
        rows = self.cql(f"SELECT key, status, label FROM {self.keyspace}.labels WHERE bucket = '{bucket}' ALLOW FILTERING")
        return {row.key: row.label if row.status == "classified" else NO_DIGIT for row in rows}


@contextlib.contextmanager
def beside_each_other(binary: str, bootstrap: str, make):
    """`spotter serve`, which is the bucket and looks at nothing itself, and the functions that `make` yields; in the end their tables go."""
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        with zipfile.ZipFile(bootstrap) as packed:
            packed.extractall(home / "spotter")
        serve, functions = Serve(str(pathlib.Path(binary).resolve()), str(home / "data"), "--exclude", "*"), []
        try:
            functions.extend(make(serve, home))
            yield serve, functions
        finally:
            serve.kill()
            for function in functions:
                function.close()
