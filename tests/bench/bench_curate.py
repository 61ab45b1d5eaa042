"""Curate a million messages cold, warm and with a tenth more; redaction and duplicates measured.

python -m tests.bench.bench_curate [--conversations N]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from psycopg import Connection
from rich.console import Console
from rich.table import Table

from tasks.database import connect, stop
from tasks.datasets.curate import curate
from tasks.datasets.dedupe import clusters, signatures
from tasks.datasets.prepare import prepare
from tasks.datasets.read_spec import parse_spec
from tasks.datasets.redact import redact
from tasks.datasets.versions import Outcome
from tasks.datasets.words import words
from tasks.settings import Settings
from tests.bench.usage import Usage
from tests.datasets.planted import CLEAN, free_names, planted

REAL = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "conversations" / "sgd_openai.jsonl"
)
TURNS = 5
SPEC = "name: bench\nkind: sft\nmodel: gpt-4.1-mini\nquality: {min_tokens: 1}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--conversations", type=int, default=100_000, help="of 10 messages each (default: 100000)"
    )
    count = parser.parse_args().conversations
    console = Console()
    turns = list(real_turns(console))
    redaction(console, turns)
    duplicates(console)
    steps = Table(title="seconds by step")
    for name in ("", "choose", "make", "decide", "record"):
        steps.add_column(name, justify="left" if not name else "right")
    table = Table(title=f"curating {count:,} conversations of {2 * TURNS} messages")
    for name in ("", "examples", "s", "client CPU", "server CPU", "peak MB"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    with tempfile.TemporaryDirectory(prefix="openbook-bench-") as folder:
        Path(folder).chmod(0o711)
        settings = Settings(home=Path(folder) / "home")
        with closing(connect(settings)) as connection:
            log(connection, turns, 0, count)
            for name in ("cold", "warm"):
                table.add_row(name, *measure(connection, settings, steps, name))
            new = count // 10
            log(connection, turns, count, new)
            table.add_row(f"{new:,} prepared", *prepared(connection, settings))
            name = f"{new:,} new, prepared"
            table.add_row(name, *measure(connection, settings, steps, name))
            log(connection, turns, count + new, new)
            name = f"{new:,} new, not prepared"
            table.add_row(name, *measure(connection, settings, steps, name))
            other = SPEC + "balance: {per_user: 1000}\n"
            name = "warm, another spec"
            table.add_row(name, *measure(connection, settings, steps, name, other))
        stop(settings)
    console.print(table)
    console.print(steps)
    console.print(
        "Near-duplicates, decontamination and redaction on. Warm: nothing is new, so that the "
        "version is the one before; another spec: a version is written. Prepared: as a load does."
    )


def real_turns(console: Console) -> Iterator[tuple[str, str]]:
    """What a user says and what is answered, in real dialogues where they are there."""
    if not REAL.exists():
        console.print(f"{REAL} is not there: made-up turns instead.")
        chooser = random.Random(1)
        vocabulary = [f"{a}{b}{c}" for a in "bdfgklmprst" for b in "aeiou" for c in "nprst"]
        for _ in range(20_000):
            yield (
                " ".join(chooser.choices(vocabulary, k=10)),
                " ".join(chooser.choices(vocabulary, k=12)),
            )
        return
    for line in REAL.read_text(encoding="utf-8").splitlines():
        said = json.loads(line)["messages"]
        for one, other in pairwise(said):
            if (one["role"], other["role"]) == ("user", "assistant") and other["content"]:
                yield one["content"], other["content"]


def log(connection: Connection, turns: list[tuple[str, str]], first: int, count: int) -> None:
    """Conversations of real turns in new combinations; one in ten is a near-duplicate."""
    chooser = random.Random(first)
    connection.execute("set openbook.loading = on")
    made: list[list[tuple[str, str]]] = []
    with connection.cursor() as cursor:
        with cursor.copy(
            "copy conversations (id, external_id, user_pseudonym, model) from stdin"
        ) as copy:
            for number in range(first, first + count):
                copy.write_row((number + 1, f"c{number}", f"u{number % 9973}", "m"))
        with cursor.copy(
            "copy messages (conversation_id, ordinal, role, content) from stdin"
        ) as copy:
            for number in range(first, first + count):
                if made and chooser.random() < 0.1:
                    said = [*chooser.choice(made)[:-1], chooser.choice(turns)]
                else:
                    picked = chooser.choices(turns, k=TURNS)
                    said = [(vary(chooser, one), vary(chooser, other)) for one, other in picked]
                    made.append(said)
                for place, (asked, answer) in enumerate(said):
                    copy.write_row((number + 1, 2 * place + 1, "user", asked))
                    copy.write_row((number + 1, 2 * place + 2, "assistant", answer))
    connection.execute("reset openbook.loading")
    connection.commit()
    connection.autocommit = True
    connection.execute("vacuum analyze conversations, messages")
    connection.autocommit = False


def vary(chooser: random.Random, text: str) -> str:
    """The text with one word in seven made up, so that turns do not repeat word for word."""
    return " ".join(
        f"w{chooser.randrange(100_000)}" if chooser.random() < 1 / 7 else word
        for word in text.split()
    )


def prepared(connection: Connection, settings: Settings) -> list[str]:
    """What a load does for the next curation: examples, seconds, CPU seconds, memory."""
    server = server_seconds(connection)
    with Usage(client=os.getpid()) as usage, closing(connect(settings, autocommit=True)) as beside:
        started = time.perf_counter()
        made = sum(prepare(beside, settings).values())
        seconds = time.perf_counter() - started
    return [f"{made:,}", *costs(usage, seconds, server_seconds(connection) - server)]


def costs(usage: Usage, seconds: float, server: float) -> list[str]:
    """Seconds, CPU seconds of this process's tree and of the server, MB."""
    own, below = usage.peak["client"]
    client = usage.own("client") + usage.started("client")
    return [f"{seconds:.1f}", f"{client:.1f}", f"{server:.1f}", f"{own + below:.0f}"]


def measure(
    connection: Connection, settings: Settings, steps: Table, name: str, spec: str = SPEC
) -> list[str]:
    """One curation: examples, seconds, CPU seconds of this process's tree and of the server."""
    server = server_seconds(connection)
    with Usage(client=os.getpid()) as usage:
        started = time.perf_counter()
        outcome: Outcome = curate(connection, parse_spec(spec), settings)
        connection.commit()
        seconds = time.perf_counter() - started
    steps.add_row(name, *(f"{one:.1f}" for one in outcome.seconds.values()))
    examples = f"{outcome.decision.examples:,}"
    return [examples, *costs(usage, seconds, server_seconds(connection) - server)]


def server_seconds(connection: Connection) -> float:
    """CPU seconds of the server's processes so far, those that ended included."""
    row = connection.execute("select pg_backend_pid()").fetchone()
    connection.rollback()
    assert row is not None
    parent = int(re.findall(r"PPid:\s+(\d+)", Path(f"/proc/{row[0]}/status").read_text())[0])
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    own = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()
    return (ticks + int(own[13]) + int(own[14])) / 100


def redaction(console: Console, turns: list[tuple[str, str]]) -> None:
    """Recall by class on the planted values, and what is altered in clean texts."""
    found: dict[str, list[bool]] = defaultdict(list)
    for name, value, sentence in planted():
        found[name].append(value.lower() not in redact([sentence])[0][0].lower())
    for value, sentence in free_names():
        found["name, not introduced"].append(value not in redact([sentence])[0][0])
    table = Table(title="personal data in five languages")
    for name in ("class", "planted", "recall"):
        table.add_column(name, justify="left" if name == "class" else "right")
    for name, hits in found.items():
        table.add_row(name, str(len(hits)), f"{sum(hits) / len(hits):.2f}")
    console.print(table)
    altered = sum(bool(redact([sentence])[1]) for sentence in CLEAN)
    sample = [text for turn in turns[:10_000] for text in turn]
    started = time.process_time()
    named = sum("name" in redact([text])[1] for text in sample)
    spent = time.process_time() - started
    megabytes = sum(map(len, sample)) / 1e6
    console.print(
        f"Altered: {altered} of {len(CLEAN)} clean sentences; a name in {named} of {len(sample):,} "
        f"messages. {spent / megabytes:.2f} CPU s a MB, a message at a time."
    )


def duplicates(console: Console) -> None:
    """Recall and precision on planted pairs, by the share of words that were changed."""
    chooser = random.Random(5)
    vocabulary = [f"{a}{b}{c}" for a in "bdfgklmprst" for b in "aeiou" for c in "nprst"]
    table = Table(title="near-duplicates at 0.6, 2,000 texts of 100 words and a twin of each")
    for name in ("words changed", "twins found", "strangers joined"):
        table.add_column(name, justify="right")
    for share in (0.0, 0.02, 0.05, 0.1):
        originals = [chooser.choices(vocabulary, k=100) for _ in range(2_000)]
        twins = [
            [chooser.choice(vocabulary) if chooser.random() < share else word for word in said]
            for said in originals
        ]
        texts = [words([" ".join(said)]) for said in [*originals, *twins]]
        label = clusters(signatures(texts), 0.6)
        hits = int((label[:2_000] == label[2_000:]).sum())
        joined = 2_000 - len(set(label[:2_000].tolist()))
        table.add_row(f"{share:.0%}", f"{hits / 2_000:.3f}", str(joined))
    console.print(table)


if __name__ == "__main__":
    main()
