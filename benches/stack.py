"""A bucket, its queue and dead-letter queue in LocalStack, and workers on them, for the scripts beside this one.

`docker compose up --wait` is what they run on. AWS_ENDPOINT_URL and SPOTTER_CASSANDRA name other places.
"""

import json
import os
import pathlib
import subprocess
import time
import uuid

import boto3
from botocore.config import Config

SAMPLES = pathlib.Path(__file__).parent.parent / "samples"
EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]

ENVIRONMENT = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "SPOTTER_CASSANDRA": "127.0.0.1:9042",
    **os.environ,
}


def client(service: str):
    keys = ("endpoint_url", "AWS_ENDPOINT_URL"), ("region_name", "AWS_REGION"), ("aws_access_key_id", "AWS_ACCESS_KEY_ID")
    named = {argument: ENVIRONMENT[variable] for argument, variable in keys}
    secret = ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]
    return boto3.client(service, aws_secret_access_key=secret, config=Config(max_pool_connections=32), **named)


class Stack:
    """What is made has a name of its own, so that runs leave each other alone; the keyspace is dropped by `close`."""

    def __init__(self, binary: str, visibility: int = 30, max_receives: int = 100, watched: bool = True):
        self.binary, self.name = binary, f"bench-{uuid.uuid4().hex[:8]}"
        self.s3, self.sqs, self.workers = client("s3"), client("sqs"), []
        self.bucket = self.name
        self.s3.create_bucket(Bucket=self.bucket)
        self.dead_letters = self.sqs.create_queue(QueueName=f"{self.name}-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": self.arn(self.dead_letters), "maxReceiveCount": max_receives}
        attributes = {"VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(redrive)}
        self.queue = self.sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        if watched:
            queues = [{"QueueArn": self.arn(self.queue), "Events": EVENTS}]
            self.s3.put_bucket_notification_configuration(
                Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": queues}
            )
        self.environment = {**ENVIRONMENT, "SPOTTER_KEYSPACE": self.name.replace("-", "_")}
        self.spotter("schema", "apply")

    def arn(self, queue: str) -> str:
        return self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def spotter(self, *arguments: str) -> str:
        command = [self.binary, *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def ask(self, *arguments: str) -> list[dict]:
        """The JSON lines of a `spotter` command; none where it fails."""
        command = [self.binary, *arguments, "--json"]
        lines = subprocess.run(command, env=self.environment, capture_output=True, text=True).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def worker(self) -> subprocess.Popen:
        command = [self.binary, "worker", "--queue", self.queue]
        log = open(f"/tmp/{self.name}-worker-{len(self.workers)}.log", "w")
        self.workers.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))
        return self.workers[-1]

    def waiting(self, queue: str | None = None) -> int:
        """Messages in a queue, those that somebody has received among them."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=queue or self.queue, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def until_empty(self, seconds: float) -> None:
        deadline = time.time() + seconds
        while self.waiting() and time.time() < deadline:
            time.sleep(0.5)

    def close(self) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(30)
        for queue in (self.queue, self.dead_letters):
            self.sqs.delete_queue(QueueUrl=queue)
