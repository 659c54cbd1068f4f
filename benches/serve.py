"""`spotter serve` in a folder of its own, for the scripts beside this one."""

import json
import pathlib
import subprocess
import threading

import boto3
from botocore.config import Config

BUCKET = "pictures"
SAMPLES = pathlib.Path(__file__).parent.parent / "samples"


class Serve:
    def __init__(self, binary: str, data: str, *options: str):
        self.binary, self.data, self.options = binary, data, options
        self.start()

    def start(self) -> None:
        arguments = [self.binary, "--data", self.data, "serve", "--port", "0", "--page-port", "0", *self.options]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.endpoint = self.process.stdout.readline().split()[1]
        self.page = self.process.stdout.readline().split()[1]
        # It tells of each picture, and would wait for whoever reads that.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def environment(self) -> dict[str, str]:
        text = subprocess.run([self.binary, "--data", self.data, "env"], capture_output=True, text=True, check=True).stdout
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def client(self):
        variables = self.environment()
        return boto3.client(
            "s3",
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}, connect_timeout=2, read_timeout=10),
        )

    def ask(self, *arguments: str) -> list[dict]:
        """The JSON lines of a `spotter` command; none where it fails."""
        command = [self.binary, "--data", self.data, *arguments, "--json"]
        lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
        return [json.loads(line) for line in lines]
