"""A first load through the real flow: documents and chunks a second, and where the time goes.

    python -m tests.bench.bench_ingest [--files N] [--embedder hashing] [--peer-command COMMAND]

The markdown files of `../shared/data` where it is there, else of the sample, are ingested into a
book of their own. With the default embedder the same texts are then given to the bare embedder, in
one process with nothing else running. A peer's command loads the same folder, given as its last
argument; its whole wall time counts.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.usage import Usage

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "deployments" / "sample" / "drop"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=400, help="how many files (default: 400)")
    parser.add_argument("--embedder", choices=("minilm", "hashing"), default="minilm")
    parser.add_argument(
        "--peer-command", action="append", default=[], help="loads the folder given to it; repeat"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        json.dump(_ingest(Path(arguments.child)), sys.stdout)
        return
    with tempfile.TemporaryDirectory(prefix="openbook-bench-") as name:
        folder = Path(name, "drop")
        files = gather(folder, arguments.files)
        print(f"{files} markdown files, {arguments.embedder} embedder", flush=True)
        for command in arguments.peer_command:
            seconds = _timed(command, folder)
            print(f"peer `{command}`: {files / seconds:.1f} docs/s", flush=True)
        with book(Path(name, "home"), arguments.embedder) as home:
            _measure(home, folder, files)


def gather(folder: Path, most: int) -> int:
    """Copy up to `most` markdown files into `folder`; how many there were."""
    found = sorted((DATA / "replay" / "prefect-docs").glob("step_*/**/*.md*"))
    found += sorted((DATA / "documents").glob("**/*.md"))
    base, found = (DATA, found) if found else (SAMPLE, sorted(SAMPLE.glob("**/*.md")))
    number = 0
    for path in islice((path for path in found if path.is_file()), most):
        target = folder / path.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        number += 1
    return number


def _timed(command: str, folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([*shlex.split(command), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


@contextmanager
def book(home: Path, embedder: str) -> Iterator[Path]:
    """A home whose servers run and whose model is written."""
    home.mkdir(mode=0o711)
    os.environ |= {"OPENBOOK_HOME": str(home), "OPENBOOK_EMBEDDER": embedder}
    warm = home / "warm"
    warm.mkdir()
    (warm / "one.md").write_text("# One\n\nA first text.\n")
    openbook = [sys.executable, "-m", "flows.cli"]
    subprocess.run([*openbook, "ingest", str(warm)], cwd=ROOT, check=True, stdout=sys.stderr)
    try:
        yield home
    finally:
        subprocess.run([*openbook, "down"], cwd=ROOT, check=True, stdout=sys.stderr)


def _measure(home: Path, folder: Path, files: int) -> None:
    from tasks.database import connect
    from tasks.embedders import open_embedder
    from tasks.settings import current

    postmaster = int(
        (home / "postgres").resolve().joinpath("data/postmaster.pid").read_text().split()[0]
    )
    prefect = json.loads((home / "prefect" / "server.json").read_text())["pid"]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bench_ingest", "--child", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with Usage(flow=child.pid, postgres=postmaster, prefect=prefect) as usage:
        output, _ = child.communicate()
    told = json.loads(output)
    seconds, report = told["seconds"], told["report"]
    console = Console()
    console.print(
        f"{report['chunks']:,} chunks, {report['embedded']:,} texts embedded in {seconds:.1f} s: "
        f"{files / seconds:.1f} docs/s, {report['chunks'] / seconds:.1f} chunks/s, "
        f"{report['embedded'] / seconds:.1f} texts/s"
    )
    table = Table(title="processes")
    for column in ("process", "CPU s", "CPU ms a file", "peak MB"):
        table.add_column(column, justify="left" if column == "process" else "right")
    total = 0.0
    for label, cpu, peak in (
        ("flow", usage.own("flow"), usage.peak["flow"][0]),
        ("parser workers", usage.started("flow"), usage.peak["flow"][1]),
        ("Postgres", usage.own("postgres") + usage.started("postgres"), usage.peak["postgres"][1]),
        (
            "Prefect server",
            usage.own("prefect") + usage.started("prefect"),
            usage.peak["prefect"][0],
        ),
    ):
        table.add_row(label, f"{cpu:.1f}", f"{1000 * cpu / files:.1f}", f"{peak:.0f}")
        total += cpu
    console.print(table)
    table = Table(title="stages: threads' seconds, of which on the CPU")
    for column in ("stage", "calls", "wall s", "CPU s"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, (calls, wall, cpu) in told["stages"].items():
        table.add_row(stage, f"{calls:,}", f"{wall:.2f}", f"{cpu:.2f}")
    console.print(table)
    with connect(current()) as connection:
        rows = connection.execute(
            "select concat_ws(E'\\n', title, section, body) from passages order by id"
        ).fetchall()
    embedder = open_embedder(current())
    texts = [text for (text,) in rows]
    embedder.embed(texts[:8])
    started, cpu = time.perf_counter(), time.process_time()
    for at in range(0, len(texts), 1024):
        embedder.embed(texts[at : at + 1024])
    bare, cpu = time.perf_counter() - started, time.process_time() - cpu
    rate = len(texts) / bare
    console.print(
        f"bare embedder: {rate:.1f} texts/s, {cpu:.1f} CPU s; "
        f"the flow reached {report['embedded'] / seconds / rate:.0%} of that rate, and spent "
        f"{cpu / total:.0%} of its CPU seconds on it"
    )


def _ingest(folder: Path) -> dict[str, Any]:
    """Run the flow in this process, its stages watched from outside."""
    from flows import ingest as flow
    from flows.cli.group import on_prefect
    from tasks.ingest import read
    from tasks.ingest.parse import ParserPool

    stages: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    lock = Lock()

    def watch(owner: Any, name: str, stage: str) -> None:
        call: Callable[..., Any] = getattr(owner, name)

        @wraps(call)
        def watched(*args: Any, **kwargs: Any) -> Any:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
                with lock:
                    for place, value in enumerate((1, wall, cpu)):
                        stages[stage][place] += value

        setattr(owner, name, watched)

    watch(flow, "scan", "scan")
    watch(flow, "read_batch", "read a batch")
    watch(read, "stage_all", "  stage")
    watch(read, "read_files", "  parse and chunk")
    watch(ParserPool, "parse", "    parse (waiting for workers)")
    watch(read, "chunk", "    chunk")
    watch(read, "store", "  store")
    watch(flow, "missing_texts", "missing texts")
    watch(flow, "embed", "embed")
    watch(type(flow._embedder()), "embed", "  the embedder")
    watch(flow, "publish", "publish")
    watch(flow, "index", "index")
    embedder = flow._embedder()
    embedder.embed(["a first text"])
    with on_prefect():
        started = time.perf_counter()
        report = flow.ingest(folder=str(folder))
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "report": report, "stages": stages}


if __name__ == "__main__":
    main()
