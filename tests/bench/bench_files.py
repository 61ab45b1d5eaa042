"""Many small files: the first load, and a run that finds nothing changed beside a bare walk.

    python -m tests.bench.bench_files [--files N]

The files are made in a temporary folder and ingested with the hashing embedder. The bare walk is
`os.scandir` with `stat` of every file. A quiet run is the flow from its start to its report;
its scan alone is given, too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.bench_ingest import ROOT, book
from tests.bench.usage import Usage

_FILES_A_FOLDER = 200
_ROUNDS = 3
_WORDS = (
    *("valve", "pump", "seal", "shaft", "bearing", "motor", "flange", "gasket", "filter", "hose"),
    *("week", "month", "year", "check", "clean", "replace", "tighten", "open", "close", "start"),
)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=100_000, help="default: 100,000")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        json.dump(_ingest(arguments.child), sys.stdout)
        return
    console = Console()
    with tempfile.TemporaryDirectory(prefix="openbook-bench-") as name:
        folder = Path(name, "drop")
        _make(folder, arguments.files)
        with book(Path(name, "home"), "hashing"):
            table = Table(title=f"{arguments.files:,} files")
            for column in ("", "wall s", "times the walk", "process CPU s", "peak MB", "files/s"):
                table.add_column(column, justify="right" if column else "left")
            runs = [_run(folder) for _ in range(1 + _ROUNDS)]
            walks = [_walk(folder) for _ in range(_ROUNDS)]
            walk, cpu = (median(column) for column in zip(*walks, strict=True))
            table.add_row("bare walk", f"{walk:.2f}", "1.0", f"{cpu:.2f}", "", "")
            quiet = sorted(runs[1:], key=lambda run: run["seconds"])[_ROUNDS // 2]
            for label, run in (("first load", runs[0]), ("quiet run", quiet)):
                table.add_row(
                    label,
                    f"{run['seconds']:.2f}",
                    f"{run['seconds'] / walk:.1f}",
                    f"{run['cpu']:.2f}",
                    f"{run['peak']:.0f}",
                    f"{arguments.files / run['seconds']:,.0f}",
                )
            table.add_row(
                "  its scan",
                f"{quiet['scan']:.2f}",
                f"{quiet['scan'] / walk:.1f}",
                f"{quiet['scan_cpu']:.2f}",
                "",
                "",
            )
            console.print(table)


def _make(folder: Path, files: int) -> None:
    words = random.Random(3)
    for number in range(files):
        below = folder / f"{number // _FILES_A_FOLDER:04}"
        if number % _FILES_A_FOLDER == 0:
            below.mkdir(parents=True)
        text = " ".join(words.choices(_WORDS, k=40))
        (below / f"{number:06}.md").write_text(f"# Note {number}\n\n{text} {number}.\n")


def _walk(folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a bare walk."""
    wall, cpu = time.perf_counter(), time.process_time()
    folders = [os.fspath(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
    return time.perf_counter() - wall, time.process_time() - cpu


def _run(folder: Path) -> dict[str, Any]:
    """One run of the flow in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.bench_files", "--child", str(folder)]
    child = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with Usage(flow=child.pid) as usage:
        output, _ = child.communicate()
    told: dict[str, Any] = json.loads(output)
    return told | {"peak": usage.peak["flow"][0]}


def _ingest(folder: str) -> dict[str, float]:
    from flows import ingest as flow
    from flows.cli.group import on_prefect

    told = {"scan": 0.0, "scan_cpu": 0.0}
    scan = flow.scan

    def watched(*args: Any, **kwargs: Any) -> Any:
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            return scan(*args, **kwargs)
        finally:
            told["scan"] = time.perf_counter() - wall
            told["scan_cpu"] = time.thread_time() - cpu

    flow.scan = watched
    with on_prefect():
        wall, cpu = time.perf_counter(), time.process_time()
        flow.ingest(folder=folder)
        told |= {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return told


if __name__ == "__main__":
    main()
