"""Chaos: a folder that changes at random, runs that are cut off at random, a book that stays sound.

    python -m tests.faults.chaos --seed 7 --steps 100

Each step is drawn from the seed and its number alone, so that a run replays from its seed. After
each step every invariant is checked; after every fifth the book must come in step with its folder.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.server import ensure_server, stop_server
from tasks.database import connect, dsn, stop
from tasks.settings import Settings
from tests import endpoint
from tests.faults import folder
from tests.faults.conftest import Lab, meanwhile

_RECOVER_EVERY = 5
_MOST_FILES = 12


class Chaos:
    """One book, and what is done to it."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self._lab = lab
        self._lab.allow_mass_delete = True  # a few files come and go all at once
        self._seed = seed
        self.done: Counter[str] = Counter()

    def step(self, number: int) -> None:
        """Change the folder, run into a fault, and check."""
        rng = random.Random(f"{self._seed} {number}")
        for _ in range(rng.randint(1, 4)):
            self._change(rng)
        fault = rng.choice([self._kill, self._cut_connections, self._misbehave, self._distract])
        self.done[fault.__name__.strip("_").replace("_", " ")] += 1
        fault(rng)
        self._lab.endpoint.misbehaviours.clear()
        self._lab.settle()
        self._lab.assert_sound()
        if number % _RECOVER_EVERY == 0:
            self.done["recover"] += 1
            self._lab.assert_recovers(folder.readable(self._lab.drop))

    def _change(self, rng: random.Random) -> None:
        drop = self._lab.drop
        paths = sorted(drop.glob("*.md"))
        new = f"{rng.randrange(100):02}.md"
        change = rng.choice(["write", "edit", "copy", "rename", "delete"])
        if change == "write" or len(paths) < 3:
            marks = [f"mark{rng.randrange(60)}" for _ in range(rng.randint(1, 5))]
            folder.write(drop, new, folder.page(f"Page {new}", dict.fromkeys(marks)))
        elif change == "edit":
            path = rng.choice(paths)
            old, mark = rng.choice(sorted(folder.marks(path.read_text()))), rng.randrange(60, 120)
            path.write_text(path.read_text().replace(f"{old} ", f"mark{mark} "))
        elif change == "copy":
            original = rng.choice(paths)
            if original.name != new:
                shutil.copy(original, drop / new)
        elif change == "rename":
            rng.choice(paths).rename(drop / new)
        if change == "delete" or len(paths) > _MOST_FILES:
            rng.choice(sorted(drop.glob("*.md"))).unlink()

    def _kill(self, rng: random.Random) -> None:
        self._lab.ingest(kill_at=rng.randint(1, 300))

    def _cut_connections(self, rng: random.Random) -> None:
        requests = rng.randint(0, 2)
        self._lab.endpoint.then(*[endpoint.changed(endpoint.encoded)] * requests)
        self._lab.endpoint.then(meanwhile(self._lab.cut_connections))
        self._lab.ingest()

    def _misbehave(self, rng: random.Random) -> None:
        ways = [endpoint.hang_up, endpoint.garbage, endpoint.cut_body, endpoint.another_model]
        ways += [endpoint.status(500), endpoint.no_quota, endpoint.wrong_dimensions(3)]
        self._lab.endpoint.then(*rng.choices(ways, k=2))
        self._lab.ingest()

    def _distract(self, rng: random.Random) -> None:
        self._lab.endpoint.then(meanwhile(lambda: self._change(rng)))
        self._lab.ingest()


@contextmanager
def laboratory() -> Iterator[Lab]:
    """A book of its own, with its own servers."""
    home = Path(tempfile.mkdtemp(prefix="openbook-chaos-"))
    home.chmod(0o711)
    settings = Settings(home=home / "home")
    drop = home / "drop"
    drop.mkdir()
    try:
        connect(settings).close()
        api = ensure_server(settings)
        with endpoint.embedding_endpoint() as loopback:
            database = Settings(home=settings.home, database_url=dsn(settings))
            lab = Lab(database, drop, api, loopback)
            yield lab
    finally:
        stop_server(settings)
        stop(settings)
        shutil.rmtree(home)


def _until(steps: int | None, minutes: float) -> Callable[[int], bool]:
    end = time.monotonic() + minutes * 60
    return lambda number: number > steps if steps else time.monotonic() > end


def main() -> None:
    """Run chaos for some steps or minutes, and print what was done."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, help="end after so many steps")
    parser.add_argument("--minutes", type=float, default=10.0, help="or after so long")
    given = parser.parse_args()
    over = _until(given.steps, given.minutes)
    with laboratory() as lab:
        chaos = Chaos(lab, given.seed)
        for number in itertools.count(1):
            if over(number):
                break
            try:
                chaos.step(number)
            except BaseException:
                print(f"broken at step {number} of seed {given.seed}; what was printed there:")
                print(lab.output())
                raise
    print(f"seed {given.seed}: {number - 1} steps, every invariant held after each")
    for name, times in chaos.done.most_common():
        print(f"{times:5}  {name}")


if __name__ == "__main__":
    main()
