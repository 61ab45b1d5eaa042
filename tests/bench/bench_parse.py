"""Parse a folder of real files in the capped processes, and time 1 MB of txt, md and html.

python tests/bench/bench_parse.py [FOLDER] [--workers N] [--reasons]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tasks.errors import Rejected, Retryable
from tasks.ingest.parse import HEAD_BYTES, ParserPool, format_of, parse
from tasks.settings import Settings

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "documents"
MEGABYTE = 1_000_000


@dataclass
class Tally:
    """What came of the files of one format."""

    files: int = 0
    parsed: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    characters: int = 0
    rejected: list[tuple[Path, str]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DOCUMENTS)
    parser.add_argument("--workers", type=int, default=2, help="parser processes (default: 2)")
    parser.add_argument("--reasons", action="store_true", help="list every rejected file and why")
    arguments = parser.parse_args()
    console = Console()
    if not arguments.folder.is_dir():
        console.print(f"{arguments.folder} is not there: no files to parse.")
    else:
        started = time.perf_counter()
        tallies = parse_folder(arguments.folder, arguments.workers)
        print_tallies(console, tallies, time.perf_counter() - started)
        if arguments.reasons:
            for tally in tallies.values():
                for path, reason in tally.rejected:
                    console.print(f"{path.relative_to(arguments.folder)}: {reason}", soft_wrap=True)
    print_megabytes(console)


def parse_folder(folder: Path, workers: int) -> dict[str, Tally]:
    """Parse every file below the folder, several at a time; the tally of each extension."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with (
        ParserPool(Settings(parse_workers=workers)) as pool,
        ThreadPoolExecutor(workers) as threads,
    ):
        for path, seconds, outcome in threads.map(lambda path: timed(pool, path), paths):
            tally = tallies[path.suffix.lower().lstrip(".") or "(none)"]
            tally.files += 1
            tally.seconds += seconds
            tally.slowest = max(tally.slowest, seconds)
            if isinstance(outcome, int):
                tally.parsed += 1
                tally.characters += outcome
            else:
                tally.rejected.append((path, outcome))
    return tallies


def timed(pool: ParserPool, path: Path) -> tuple[Path, float, int | str]:
    """One file: its wall seconds, and how many characters it gave or why it gave none."""
    started = time.perf_counter()
    outcome: int | str
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        outcome = len(pool.parse(path, format_of(path, head)).text)
    except (Rejected, Retryable) as error:
        outcome = str(error)
    return path, time.perf_counter() - started, outcome


def print_tallies(console: Console, tallies: dict[str, Tally], wall: float) -> None:
    table = Table("format", "files", "parsed", "rejected", "seconds", "slowest", "1,000 characters")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, tally in sorted(tallies.items(), key=lambda item: -item[1].files):
        table.add_row(*row(name, tally))
    total = Tally(
        sum(tally.files for tally in tallies.values()),
        sum(tally.parsed for tally in tallies.values()),
        sum(tally.seconds for tally in tallies.values()),
        max((tally.slowest for tally in tallies.values()), default=0.0),
        sum(tally.characters for tally in tallies.values()),
        [rejected for tally in tallies.values() for rejected in tally.rejected],
    )
    table.add_section()
    table.add_row(*row("all", total))
    console.print(table)
    console.print(f"{wall:.1f} s of wall time")


def row(name: str, tally: Tally) -> Iterator[str]:
    yield from (name, str(tally.files), str(tally.parsed), str(len(tally.rejected)))
    yield from (f"{tally.seconds:.2f}", f"{tally.slowest:.2f}", f"{tally.characters / 1000:,.0f}")


def print_megabytes(console: Console) -> None:
    """CPU seconds of 1 MB of prose in each of the plain formats, in this process."""
    sentence = "The harbour master logged %d arrivals on day %d, and none of them was late. "
    paragraphs = ["".join(sentence % (n + k, n) for k in range(6)) for n in range(2200)]
    sources = {
        "txt": "\n\n".join(paragraphs),
        "md": "".join(
            f"## Day {n}\n\n{text}\n\n- **arrivals**: {n}\n- [log](http://h/{n})\n\n"
            for n, text in enumerate(paragraphs)
        ),
        "html": "".join(
            f"<h2>Day {n}</h2><p>{text}</p><ul><li><b>arrivals</b>: {n}</li></ul>"
            for n, text in enumerate(paragraphs)
        ),
    }
    table = Table("1 MB of", "CPU seconds", "elements")
    with TemporaryDirectory() as folder:
        for format, source in sources.items():
            path = Path(folder, f"megabyte.{format}")
            path.write_text(source[:MEGABYTE])
            parse(path, format)  # imports what it needs
            started = time.process_time()
            document = parse(path, format)
            seconds = time.process_time() - started
            table.add_row(format, f"{seconds:.3f}", str(len(document.elements)))
    console.print(table)


if __name__ == "__main__":
    main()
