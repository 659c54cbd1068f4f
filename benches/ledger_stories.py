"""The ledger's script: what happens to each key, when it is told, and how often."""

import random
from dataclasses import dataclass, field

from pictures import NO_DIGIT

NOTIFICATIONS = 1_000
# Seconds: changes are spread over the first; the database is away between the others.
DURATION, AWAY = 120, (50, 80)
PLAIN, OVERWRITTEN, DELETED, RECREATED, OVERTAKEN, GONE, BOMBS, TESTS = 340, 70, 50, 40, 30, 10, 4, 4
NAMES = ("{}.png", "scan {}.png", "a+b {}.png", "100% {}.png", "drafts/fünf {}.png", "五/{}&x=1.png", "it's {}#1?.png")


@dataclass
class Step:
    at: float
    what: str  # put, delete or test
    key: str
    means: str | None = None
    body: bytes = b""
    # One notification each, so many seconds after the change.
    delays: list[float] = field(default_factory=list)
    # Happens while a function gets the object, whenever that is.
    overtakes: bool = False


def stories(rng: random.Random, pool: list[tuple[str, bytes]], bombs: dict[str, bytes]) -> list[Step]:
    steps, keys = [], 0

    def key() -> str:
        nonlocal keys
        keys += 1
        return NAMES[keys % len(NAMES)].format(keys)

    def story(*whats: str, overtaken: bool = False) -> None:
        name, at, last = key(), rng.uniform(0, DURATION - 20), None
        for number, what in enumerate(whats):
            means, body = rng.choice([one for one in pool if one[0] != last]) if what == "put" else (None, b"")
            steps.append(Step(at, what, name, means, body, overtakes=overtaken and number > 0))
            at, last = at + rng.uniform(0.3, 6), means

    for count, whats in ((PLAIN, ["put"]), (OVERWRITTEN, ["put", "put"]), (DELETED, ["put", "delete"]),
                         (RECREATED, ["put", "delete", "put"])):
        for _ in range(count):
            story(*whats)
    for count, whats in ((OVERTAKEN, ["put", "put"]), (GONE, ["put", "delete"])):
        for _ in range(count):
            story(*whats, overtaken=True)
    for body in bombs.values():
        for _ in range(BOMBS):
            steps.append(Step(rng.uniform(0, DURATION - 20), "put", key(), NO_DIGIT, body))
    steps += [Step(rng.uniform(0, DURATION - 20), "test", "") for _ in range(TESTS)]
    steps.sort(key=lambda step: step.at)
    for step in steps:
        # Most at once, one in five late: out of order.
        step.delays = [0.0 if step.overtakes else rng.uniform(0, 0.5) if rng.random() < 0.8 else rng.uniform(0.5, 12)]
    for _ in range(NOTIFICATIONS - len(steps)):
        rng.choice([step for step in steps if not step.overtakes]).delays.append(rng.uniform(0, 20))
    return steps
