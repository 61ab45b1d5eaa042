"""Load a million messages: the rate beside a bare COPY of the same rows, and the memory it takes.

python -m tests.bench.bench_conversations [--messages N]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tasks.conversations.log import logged
from tasks.conversations.writer import Counts, Writer
from tasks.database import connect, stop
from tasks.settings import Settings
from tests.bench.usage import Usage
from tests.conversations.model_server import model_server

REAL = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "conversations" / "sgd_openai.jsonl"
)
TABLES = ("conversations", "messages")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--messages", type=int, default=1_000_000, help="how many to load (default: 1000000)"
    )
    arguments = parser.parse_args()
    console = Console(width=110)
    table = Table(title="loading conversations, in CPU seconds and in seconds of this machine")
    for name in ("", "messages", "client CPU", "server CPU", "s", "messages/s", "peak MB"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    with tempfile.TemporaryDirectory(prefix="openbook-bench-") as folder:
        Path(folder).chmod(0o711)
        settings = Settings(home=Path(folder) / "home")
        for count in (arguments.messages // 10, arguments.messages):
            source = Path(folder) / f"{count}.jsonl"
            written = write(source, count)
            clear(settings)
            loads = [run_load(settings, source), run_load(settings, source)]
            assert [load.messages for load in loads] == [written, 0]
            rows = export(settings, Path(folder) / "rows")
            bare, checked = (copy(settings, rows, how) for how in ("", "including all"))
            for name, cost in (
                ("bare COPY", bare),
                ("COPY, with keys and checks", checked),
                ("load", loads[0]),
                ("load again", loads[1]),
            ):
                table.add_row(
                    name,
                    f"{written:,}",
                    f"{cost.client:.1f}",
                    f"{cost.server:.1f}",
                    f"{cost.seconds:.1f}",
                    f"{written / cost.seconds:,.0f}",
                    f"{cost.peak:.0f}",
                )
            table.add_section()
        plain, watched = calls(settings)
        stop(settings)
    console.print(table)
    console.print(
        f"A call of an OpenAI client on loopback takes {plain:.2f} ms, logged {watched:.2f} ms "
        "(medians; the thread that stores is at work beside it)."
    )
    console.print(
        "bare COPY: the rows as stored, into tables without a key or a check. Peak: the loading "
        "processes together. On two idle cores a load takes its client's half beside its server's."
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


def calls(settings: Settings, count: int = 400) -> tuple[float, float]:
    """Median milliseconds of a call without and with logging, the two in turn."""
    from openai import OpenAI

    writer = Writer(settings)
    seconds: tuple[list[float], list[float]] = ([], [])
    with model_server() as url:
        clients = [OpenAI(base_url=url, api_key="k") for _ in range(2)]
        logged(clients[1], writer)
        for number in range(count):
            for client, taken in zip(clients, seconds, strict=True):
                said = [{"role": "user", "content": f"Hello {number}"}]
                started = time.perf_counter()
                client.chat.completions.create(model="m", messages=said)  # type: ignore[arg-type]
                taken.append(time.perf_counter() - started)
    writer.close(30)
    assert writer.counts == Counts(logged=count)
    return median(seconds[0]) * 1000, median(seconds[1]) * 1000


@dataclass(frozen=True)
class Cost:
    """CPU seconds of client and server, seconds, and the most memory of the client in MB."""

    client: float
    server: float
    seconds: float
    peak: float = 0.0
    messages: int = 0


def run_load(settings: Settings, source: Path) -> Cost:
    """Load in a process of its own."""
    command = [sys.executable, "-m", "flows.cli", "conversations", "load", str(source), "--json"]
    environment = {**os.environ, "OPENBOOK_HOME": str(settings.home)}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    with Usage(load=child.pid, server=postmaster(settings)) as usage:
        report = json.loads(child.communicate()[0])
    return Cost(
        usage.own("load") + usage.started("load"),
        usage.started("server"),
        report["files"][0]["seconds"],
        sum(usage.peak["load"]),
        report["messages"],
    )


def postmaster(settings: Settings) -> int:
    """The process that all of the embedded server's come from."""
    file = (settings.home / "postgres").resolve() / "data" / "postmaster.pid"
    return int(file.read_text().split()[0])


def export(settings: Settings, folder: Path) -> Path:
    """The stored rows as files of COPY's text format."""
    folder.mkdir(exist_ok=True)
    with connect(settings, autocommit=True) as connection:
        for table in TABLES:
            statement = f"copy {table} to stdout".encode()
            with (folder / table).open("wb") as file, connection.cursor().copy(statement) as copied:
                for data in copied:
                    file.write(data)
    return folder


def copy(settings: Settings, rows: Path, including: str) -> Cost:
    """Copy the rows into new tables that are like the real ones."""
    with connect(settings, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"create table copy_{table} (like {table} {including})".encode())
        started, cpu = time.perf_counter(), time.process_time()
        with Usage(server=postmaster(settings)) as usage:
            for table in TABLES:
                statement = f"copy copy_{table} from stdin".encode()
                with (rows / table).open("rb") as file, connection.cursor().copy(statement) as into:
                    while data := file.read(1 << 20):
                        into.write(data)
        cost = Cost(
            time.process_time() - cpu, usage.started("server"), time.perf_counter() - started
        )
        connection.execute("drop table copy_conversations, copy_messages")
    return cost


if __name__ == "__main__":
    main()
