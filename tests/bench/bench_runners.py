"""One first load on each task runner: what a cluster's workers gain, and what they cost.

    python -m tests.bench.bench_runners [--files N] [--workers 1 2 4] [--ray]

Each runner ingests the same markdown files into a book of its own, by the real flow, in batches
of `--batch` files. A Dask cluster is started before the clock: `idle` is what that and imports
take. `--embedder hashing` leaves the moving of batches; `minilm` is what a first load really does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.bench_ingest import ROOT, book, gather
from tests.bench.usage import Usage


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=400, help="how many files (default: 400)")
    parser.add_argument("--batch", type=int, default=25, help="files a batch (default: 25)")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="of Dask")
    parser.add_argument("--ray", action="store_true", help="Ray too, with two workers")
    parser.add_argument("--embedder", choices=("minilm", "hashing"), default="minilm")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        folder, workers = arguments.child
        json.dump(_ingest(Path(folder), int(workers)), sys.stdout)
        return
    runs = [("thread", 0), ("process", 0), *(("dask", n) for n in arguments.workers)]
    runs += [("ray", 0)] if arguments.ray else []
    table = Table(title=f"{arguments.embedder} embedder, batches of {arguments.batch}")
    for column in ("runner", "seconds", "chunks/s", "CPU s", "peak MB", "idle s"):
        table.add_column(column, justify="left" if column == "runner" else "right")
    with tempfile.TemporaryDirectory(prefix="openbook-bench-") as name:
        Path(name).chmod(0o711)
        folder = Path(name, "drop")
        print(f"{gather(folder, arguments.files)} markdown files", flush=True)
        for runner, workers in runs:
            home = Path(name, f"{runner}{workers}")
            with book(home, arguments.embedder):
                label = f"{runner}, {workers} workers" if workers else runner
                table.add_row(label, *_measured(folder, runner, workers, arguments.batch))
    Console().print(table)


def _measured(folder: Path, runner: str, workers: int, batch: int) -> list[str]:
    variables = {"OPENBOOK_TASK_RUNNER": runner, "OPENBOOK_BATCH_FILES": str(batch)}
    # As many parsers as cores, whoever starts them.
    variables["OPENBOOK_PARSE_WORKERS"] = "1" if runner != "thread" else "2"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bench_runners", "--child", str(folder), str(workers)],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
    )
    with Usage(flow=child.pid) as usage:
        output, _ = child.communicate()
    told = json.loads(output)
    return [
        f"{told['seconds']:.1f}",
        f"{told['chunks'] / told['seconds']:.1f}",
        f"{usage.own('flow') + usage.started('flow'):.1f}",
        f"{sum(usage.peak['flow']):.0f}",
        f"{told['idle']:.1f}",
    ]


def _ingest(folder: Path, workers: int) -> dict[str, Any]:
    from flows.cli.group import on_prefect

    started = time.perf_counter()
    with ExitStack() as lasting:
        lasting.enter_context(on_prefect())
        if workers:
            from distributed import Client, LocalCluster

            cluster = lasting.enter_context(
                LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            )
            os.environ["OPENBOOK_CLUSTER_ADDRESS"] = cluster.scheduler_address
            with Client(cluster) as client:
                client.run(lambda: __import__("flows.ingest"))
        from flows.ingest import ingest

        ready = time.perf_counter()
        report = ingest(folder=str(folder))
        seconds = time.perf_counter() - ready
    return {"idle": ready - started, "seconds": seconds, "chunks": report["chunks"]}


if __name__ == "__main__":
    main()
