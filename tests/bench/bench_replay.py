"""Replay real edit histories: what embedding only new chunks costs, beside whole documents.

python -m tests.bench.bench_replay [HISTORY …] [--limit N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from rich.console import Console
from rich.table import Table

from tasks.embedders import Tokenizer
from tasks.embedders.minilm import WordPieceTokenizer
from tasks.errors import Rejected
from tasks.ingest.chunk import chunk
from tasks.ingest.parse import HEAD_BYTES, format_of, parse
from tasks.records import Chunk

REPLAY = Path(__file__).resolve().parents[3] / "shared" / "data" / "replay"
HISTORIES = ("prefect-docs", "rust-book-docx")


@dataclass
class Cost:
    """Chunks of the files that some commits touched, and those of them never seen before."""

    chunks: int = 0
    new: int = 0

    @property
    def ratio(self) -> str:
        return f"{self.new / self.chunks:.3f}" if self.chunks else "-"


@dataclass
class Replay:
    """What a history came to; `base` is its first step, which holds what was there before."""

    commits: int = 0
    files: int = 0
    rejected: int = 0
    base: Cost = field(default_factory=Cost)
    added: Cost = field(default_factory=Cost)
    edited: Cost = field(default_factory=Cost)
    tokens: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def touched(self) -> Cost:
        return Cost(self.added.chunks + self.edited.chunks, self.added.new + self.edited.new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("histories", nargs="*", default=HISTORIES, help=f"folders under {REPLAY}")
    parser.add_argument("--limit", type=int, default=256, help="tokens a chunk (default: 256)")
    arguments = parser.parse_args()
    console = Console()
    table = Table(title=f"chunks of at most {arguments.limit} tokens")
    table.add_column("history", no_wrap=True)
    for name in (
        "commits",
        "files touched",
        "their chunks",
        "new",
        "new / chunks",
        "of edited files",
        "tokens: mean",
        "median",
        "under a quarter",
        "CPU s",
    ):
        table.add_column(name, justify="right")
    tokenizer = WordPieceTokenizer()
    for name in arguments.histories:
        if (REPLAY / name).is_dir():
            replayed = replay(REPLAY / name, tokenizer, arguments.limit)
            table.add_row(name, *row(replayed, arguments.limit))
        else:
            console.print(f"{REPLAY / name} is not there: nothing to replay.")
    console.print(table)
    console.print(
        "new: not yet in the cache of all chunk texts ever seen, which the base step filled; "
        "their chunks: what embedding each touched file anew would embed, added files included."
    )


def replay(folder: Path, tokenizer: Tokenizer, limit: int) -> Replay:
    """Parse and chunk the files of each step, against one cache of chunk texts."""
    started = time.process_time()
    result = Replay()
    texts: set[bytes] = set()
    paths: set[str] = set()
    for step in sorted(folder.glob("step_*")):
        is_base = step.name == "step_0000"
        result.commits += not is_base
        for path, chunks in read(step, tokenizer, limit):
            if chunks is None:
                result.rejected += 1
                continue
            cost = result.base if is_base else result.edited if path in paths else result.added
            fresh = {one.sha256 for one in chunks} - texts
            cost.chunks += len(chunks)
            cost.new += len(fresh)
            texts |= fresh
            paths.add(path)
            result.files += not is_base
            result.tokens += [one.tokens for one in chunks]
    result.seconds = time.process_time() - started
    return result


def read(
    step: Path, tokenizer: Tokenizer, limit: int
) -> Iterator[tuple[str, tuple[Chunk, ...] | None]]:
    """Each file of a step with its chunks; None for one that the parser rejects."""
    for path in sorted(path for path in step.rglob("*") if path.is_file()):
        if path.name == "_step.json":
            continue
        name = str(path.relative_to(step))
        try:
            with path.open("rb") as file:
                document = parse(path, format_of(path, file.read(HEAD_BYTES)))
        except Rejected:
            yield name, None
        else:
            yield name, chunk(document, tokenizer, limit)


def row(result: Replay, limit: int) -> Iterator[str]:
    touched, small = result.touched, sum(tokens < limit / 4 for tokens in result.tokens)
    yield f"{result.commits}"
    yield f"{result.files}"
    yield f"{touched.chunks:,}"
    yield f"{touched.new:,}"
    yield touched.ratio
    yield result.edited.ratio
    yield f"{mean(result.tokens):.0f}"
    yield f"{median(result.tokens):.0f}"
    yield f"{small / len(result.tokens):.0%}"
    yield f"{result.seconds:.0f}"


if __name__ == "__main__":
    main()
