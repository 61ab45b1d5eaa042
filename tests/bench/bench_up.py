"""How long `openbook up` takes until it is ready, and a dropped file until it is found; memory.

Starts it with an empty home, ends it, starts it again; then drops files one after the other into a
watched folder and asks the search server until it finds each. At rest, the memory of each part is
read as its share of what is resident (PSS), what it started included.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path

from tests.bench.usage import resident
from tests.conftest import make_short_folder
from tests.flows.test_up import PARTS, Up, started, wait_for

_REST_SECONDS = 20


def main() -> None:
    """Run it and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10, help="files dropped one after the other")
    parser.add_argument("--embedder", default="minilm", help="minilm or hashing")
    arguments = parser.parse_args()
    folder = make_short_folder()
    up = Up(folder, OPENBOOK_EMBEDDER=arguments.embedder)
    try:
        with started(up) as first:
            empty = first.seconds
        with started(up) as again:
            seconds = [_drop(up, number) for number in range(arguments.files)]
            time.sleep(_REST_SECONDS)
            memory = {part: resident(up.pid(part)) for part in PARTS}
            memory["up itself"] = resident(up.process.pid, below=False)
    finally:
        shutil.rmtree(folder)
    print(f"ready: {empty:.1f} s with an empty home, {again.seconds:.1f} s again")
    print(
        f"a dropped file is found after {statistics.median(seconds):.2f} s "
        f"(median of {len(seconds)}; {min(seconds):.2f} to {max(seconds):.2f})"
    )
    print(f"at rest, MB: {', '.join(f'{part} {mb:.0f}' for part, mb in memory.items())}")


def _drop(up: Up, number: int) -> float:
    started = time.monotonic()
    path: Path = up.drop / f"note-{number}.md"
    path.write_text(f"The lantern called wick{number} burns on the {number}th pier.\n")
    wait_for(lambda: up.finds(f"wick{number}"))
    return time.monotonic() - started


if __name__ == "__main__":
    main()
