"""A bucket whose changes are told to a queue, and what is true of it, for the scripts beside this one."""

from notifications import CREATED, REMOVED, notification, test_event
from pictures import etag
from sandbox import Queue
from serve import Serve


class Bucket:
    def __init__(self, serve: Serve, name: str, queue: Queue):
        self.s3, self.name, self.queue, self.made = serve.client(), name, queue, {}
        self.s3.create_bucket(Bucket=name)

    def put(self, key: str, means: str, body: bytes, delays: list[float]) -> list[str]:
        """A notification for each delay; their ids."""
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)
        self.made[etag(body)] = means
        return self.tell(notification(self.name, key, CREATED, etag(body), len(body)), delays)

    def delete(self, key: str, delays: list[float]) -> list[str]:
        self.s3.delete_object(Bucket=self.name, Key=key)
        return self.tell(notification(self.name, key, REMOVED), delays)

    def test(self, delays: list[float]) -> list[str]:
        return self.tell(test_event(self.name), delays)

    def tell(self, body: str, delays: list[float]) -> list[str]:
        return [self.queue.send(body, delay) for delay in delays]

    def at_rest(self) -> dict[str, str]:
        """What each object that is there means."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        objects = (entry for page in pages for entry in page.get("Contents", []))
        return {entry["Key"]: self.made[entry["ETag"].strip('"')] for entry in objects}


def differences(truth: dict[str, str], answers: dict[str, str]) -> tuple[list[str], list[str], list[str]]:
    """Keys that are lost, that have another object's answer, and that have one and are not there."""
    lost = sorted(truth.keys() - answers.keys())
    stale = sorted(key for key in truth.keys() & answers.keys() if truth[key] != answers[key])
    return lost, stale, sorted(answers.keys() - truth.keys())
