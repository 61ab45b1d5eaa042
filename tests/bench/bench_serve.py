"""What a search costs over HTTP, beside the same search in Python and in SQL.

    python -m tests.bench.bench_serve [--chunks 10000] [--requests 400]

The same hybrid searches of 10 hits over the same book, their embeddings known: by the bare SQL
function, by `tasks.retrieve.search` on open connections, and by `openbook serve` in a process of
its own, asked by one client and by eight that keep their connections. CPU ms are a request's share
in the process that asks the database (for SQL and Python the benchmark's own), and in the database.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

from psycopg import Connection

from tasks.database import connect, dsn, stop
from tasks.retrieve.search import search
from tasks.serve.access import add_token, tokens_file
from tasks.settings import Settings
from tests.bench.bench_search_speed import bodies, grow, sentences

Ask = Callable[[str], object]
CLIENTS = (1, 8)
SQL = "select * from openbook.search(%s)"


def cpu(pids: Sequence[int]) -> float:
    """CPU milliseconds that the processes have used."""
    total = 0.0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        total += (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")
    return total


def backends(connection: Connection) -> list[int]:
    """The processes of the database that answer clients, without this connection's own."""
    rows = connection.execute(
        "select pid from pg_stat_activity where backend_type = 'client backend'"
        " and pid <> pg_backend_pid()"
    )
    return [pid for (pid,) in rows]


def measure(
    open_client: Callable[[], Ask],
    queries: Sequence[str],
    clients: int,
    process: int,
    connection: Connection,
) -> str:
    """Requests a second, p50 and p95 in ms, CPU ms a request of the process and the database."""
    asks = [open_client() for _ in range(clients)]

    def work(ask: Ask, texts: Sequence[str]) -> list[float]:
        times = []
        for text in texts:
            started = time.perf_counter()
            ask(text)
            times.append((time.perf_counter() - started) * 1000)
        return times

    with ThreadPoolExecutor(clients) as threads:
        shares = [queries[number::clients] for number in range(clients)]
        list(threads.map(work, asks, [share[:20] for share in shares]))
        servers = backends(connection)
        before = cpu([process]), cpu(servers), time.perf_counter()
        times = [t for part in threads.map(work, asks, shares) for t in part]
        after = cpu([process]), cpu(servers), time.perf_counter()
    own, database, wall = (b - a for a, b in zip(before, after, strict=True))
    cuts, count = quantiles(times, n=20), len(queries)
    return (
        f"{count / wall:8.0f} {cuts[9]:8.1f} {cuts[18]:8.1f}"
        f" {own / count:8.1f} {database / count:8.1f}"
    )


def by_http(address: str, path: str, token: str) -> Ask:
    """A client that keeps its connection."""
    client = http.client.HTTPConnection(urlsplit(address).netloc)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(text: str) -> object:
        client.request("POST", path, json.dumps({"query": text}), headers)
        answer = client.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body

    return ask


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=400)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openbook-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)
        settings = Settings(home=Path(home), embedder="hashing")
        try:
            with closing(connect(settings, autocommit=True)) as connection:
                connection.execute(
                    "insert into sources (collection_id, name, root, readers)"
                    " values (1, 'b', '/b', '{ann}'); insert into runs (source_id) values (1)"
                )
                parts, asked = sentences()
                grow(connection, bodies(parts), given.chunks)
                connection.execute("update documents set readers = '{ann}'")
                queries = list(islice(cycle(asked[:100]), given.requests))
                for text in queries[:100]:
                    search(text, settings=settings, connection=connection)
                compare(settings, connection, queries)
        finally:
            stop(settings)


def compare(settings: Settings, connection: Connection, queries: Sequence[str]) -> None:
    """One line a way of asking and number of clients."""
    ann = add_token(tokens_file(settings), "ann", principals=["ann"], collections=None)
    all_of_it = add_token(tokens_file(settings), "all", principals=None, collections=None)
    configured = replace(settings, database_url=dsn(settings))

    def in_sql() -> Ask:
        own = connect(configured, autocommit=True)
        return lambda text: own.execute(SQL, [text]).fetchall()

    def in_python() -> Ask:
        own = connect(configured, autocommit=True)
        return lambda text: search(text, settings=settings, connection=own)

    command = [sys.executable, "-m", "flows.cli", "serve", "--port", "0", "--json"]
    command += ["--rate", "100000"]
    environment = {
        **os.environ,
        "OPENBOOK_HOME": str(settings.home),
        "OPENBOOK_EMBEDDER": "hashing",
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "}\n")
        address = str(json.loads("".join(lines) + "}")["address"])
        store = "/v1/vector_stores/default/search"
        ways: dict[str, tuple[int, Callable[[], Ask]]] = {
            "SQL": (os.getpid(), in_sql),
            "Python": (os.getpid(), in_python),
            "POST /search": (server.pid, lambda: by_http(address, "/search", all_of_it)),
            "  with principals": (server.pid, lambda: by_http(address, "/search", ann)),
            "vector store": (server.pid, lambda: by_http(address, store, all_of_it)),
        }
        print(f"{'':20} clients      r/s      p50      p95   CPU ms  +database")
        for name, (process, open_client) in ways.items():
            for clients in CLIENTS:
                line = measure(open_client, queries, clients, process, connection)
                print(f"{name:20} {clients:7} {line}", flush=True)
        server.terminate()


if __name__ == "__main__":
    main()
