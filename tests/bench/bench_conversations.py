"""Load a million messages: the rate beside a bare COPY of the same rows, and the memory it takes.

python -m tests.bench.bench_conversations [--messages N]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from tasks.database import connect, stop
from tasks.settings import Settings

REAL = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "conversations" / "sgd_openai.jsonl"
)
TABLES = ("conversations", "messages")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--messages", type=int, default=1_000_000, help="how many to load (default: 1000000)"
    )
    parser.add_argument("--load", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        load_here(*arguments.load)
        return
    console = Console()
    table = Table(title="loading conversations")
    for name in ("", "messages", "s", "messages/s", "of a bare COPY", "CPU s", "peak MB"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=not name)
    with tempfile.TemporaryDirectory(prefix="openbook-bench-") as folder:
        Path(folder).chmod(0o711)
        settings = Settings(home=Path(folder) / "home")
        for count in (arguments.messages // 10, arguments.messages):
            source = Path(folder) / f"{count}.jsonl"
            written = write(source, count)
            clear(settings)
            first = run_load(settings, source)
            again = run_load(settings, source)
            bare, indexed = copies(settings, Path(folder) / "rows")
            seconds = first["seconds"]
            table.add_row("bare COPY", f"{written:,}", f"{bare:.1f}", rate(written, bare))
            table.add_row(
                "COPY, keys and checks", f"{written:,}", f"{indexed:.1f}", rate(written, indexed)
            )
            for name, done in (("load", first), ("load again", again)):
                table.add_row(
                    name,
                    f"{written:,}",
                    f"{done['seconds']:.1f}",
                    rate(written, done["seconds"]),
                    f"{bare / done['seconds']:.2f}",
                    f"{done['cpu']:.1f}",
                    f"{done['peak']:.0f}",
                )
            table.add_section()
            assert first["messages"] == written, (first, written, seconds)
            assert again["messages"] == 0
        stop(settings)
    console.print(table)
    console.print(
        "bare COPY: conversations and messages as stored, into tables without a key or a check. "
        "CPU and memory: of the loading processes together, without the server's."
    )


def conversations() -> Iterator[list[dict[str, Any]]]:
    """Real dialogues where they are there, else made ones of the same size."""
    if REAL.exists():
        with REAL.open() as file:
            yield from (json.loads(line)["messages"] for line in file)
    else:
        Console().print(f"{REAL} is not there: made dialogues instead.")
        for n in range(4000):
            turn = "Please find a table for two in the old town, not too loud. "
            yield [
                {"role": ("user", "assistant")[i % 2], "content": f"{turn * (1 + i % 3)}{n} {i}"}
                for i in range(10)
            ]


def write(path: Path, messages: int) -> int:
    """A file of that many messages or a few more, in conversations of 10; how many."""
    written = 0
    with path.open("w") as file:
        for number, said in enumerate(cycle(list(conversations()))):
            if written >= messages:
                break
            short = said[:10]
            file.write(
                json.dumps(
                    {"id": f"bench-{number}", "user": f"user-{number % 5000}", "messages": short}
                )
                + "\n"
            )
            written += len(short)
    return written


def clear(settings: Settings) -> None:
    with connect(settings, autocommit=True) as connection:
        connection.execute("truncate conversations, messages, feedback, load_files cascade")


def run_load(settings: Settings, source: Path) -> dict[str, Any]:
    """Load in a process of its own; its report, CPU seconds and peak memory."""
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.bench.bench_conversations", "--load", str(settings.home),
            str(source),
        ],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBOOK_HOME": str(settings.home)},
    )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def load_here(home: str, source: str) -> None:
    from tasks.conversations.load import load

    settings = Settings(home=Path(home))
    with connect(settings, autocommit=True) as connection:
        report = load(connection, settings, Path(source))
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    cpu = sum(use.ru_utime + use.ru_stime for use in (own, children))
    peak = (own.ru_maxrss + children.ru_maxrss * settings.parse_workers) / 1024
    json.dump(
        {"messages": report.messages, "seconds": report.seconds, "cpu": cpu, "peak": peak},
        sys.stdout,
    )


def copies(settings: Settings, folder: Path) -> tuple[float, float]:
    """Seconds to copy the stored rows into bare tables, and into ones with keys and checks."""
    folder.mkdir(exist_ok=True)
    seconds = []
    with connect(settings, autocommit=True) as connection:
        for table in TABLES:
            with (
                (folder / table).open("wb") as file,
                connection.cursor().copy(f"copy {table} to stdout".encode()) as copy,
            ):
                for data in copy:
                    file.write(data)
        for including in ("", "including all"):
            for table in TABLES:
                connection.execute(f"create table copy_{table} (like {table} {including})".encode())
            seconds.append(sum(copy_in(connection, folder, table) for table in TABLES))
            connection.execute("drop table copy_conversations, copy_messages")
    return seconds[0], seconds[1]


def copy_in(connection: psycopg.Connection, folder: Path, table: str) -> float:
    started = time.perf_counter()
    with (
        (folder / table).open("rb") as file,
        connection.cursor().copy(f"copy copy_{table} from stdin".encode()) as copy,
    ):
        while data := file.read(1 << 20):
            copy.write(data)
    return time.perf_counter() - started


def rate(messages: int, seconds: float) -> str:
    return f"{messages / seconds:,.0f}"


if __name__ == "__main__":
    main()
