"""A folder of real files through the command line: outcomes by format, and what a second run costs.

    python -m tests.bench.bench_documents [FOLDER]

Without FOLDER, `../shared/data/documents` where it is there, else the sample drop. Everything
happens in a home of its own, which is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "documents"
SAMPLE = ROOT / "deployments" / "sample" / "drop"
WARM_RUNS = 5


def openbook(home: Path, *arguments: str) -> tuple[str, float]:
    """Run a command in `home`; its output and the wall time in seconds."""
    environment = {**os.environ, "OPENBOOK_HOME": str(home)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)
    return done.stdout, time.perf_counter() - started


def ingest(home: Path, folder: Path) -> tuple[dict[str, Any], float]:
    """Ingest the folder; the report and the wall time."""
    output, seconds = openbook(home, "ingest", str(folder), "--json")
    return json.loads(output), seconds


def print_outcomes(folder: Path, report: dict[str, Any]) -> None:
    """Files by format: how many are current, how many rejected, and the reasons."""
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    names = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
    rejected = {one["path"]: one["reason"] for one in report["rejected"]}
    suffix = {name: Path(name).suffix.lstrip(".").lower() or "(none)" for name in names}
    print(f"\n{'format':10} {'files':>6} {'current':>8} {'rejected':>9}")
    for kind, count in Counter(suffix.values()).most_common():
        bad = sum(1 for name in rejected if suffix.get(name) == kind)
        print(f"{kind:10} {count:6} {count - bad:8} {bad:9}")
    print(f"\nwithout an answer: {len(names) - report['seen']}, pending: {report['pending']}")
    print("\nreasons:")
    for reason, count in Counter(rejected.values()).most_common():
        print(f"{count:6}  {reason}")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=None)
    folder: Path | None = parser.parse_args().folder
    if folder is None:
        folder = SHARED if SHARED.is_dir() else SAMPLE
    print(f"folder: {folder.name}")
    with tempfile.TemporaryDirectory(prefix="openbook-bench-") as name:
        home = Path(name)
        home.chmod(0o711)
        try:
            openbook(home, "status")
            first, seconds = ingest(home, folder)
            print_outcomes(folder, first)
            chunks, bought = first["chunks"], first["embedded"]
            print(f"\nfirst run: {seconds:.1f} s, {chunks} chunks, {bought} bought")
            again = [ingest(home, folder) for _ in range(WARM_RUNS)]
            report, seconds = sorted(again, key=lambda one: one[1])[WARM_RUNS // 2]
            print(
                f"second run: {seconds:.2f} s of which the flow {report['seconds']:.2f} s, "
                f"{report['embedded']} bought, {report['new'] + report['changed']} changed"
            )
            openbook(home, "search", "how is the table of contents made?")
            warm = sorted(
                openbook(home, "search", "how is the table of contents made?")[1]
                for _ in range(WARM_RUNS)
            )
            fresh = sorted(
                openbook(home, "search", f"how is table {n} made?")[1] for n in range(WARM_RUNS)
            )
            print(f"search, query known: {warm[WARM_RUNS // 2]:.2f} s the whole process")
            print(f"search, query new:   {fresh[WARM_RUNS // 2]:.2f} s the whole process")
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import tasks.retrieve.search"], check=True)
            print(
                f"import tasks.retrieve.search: {time.perf_counter() - started:.2f} s with Python"
            )
        finally:
            openbook(home, "down")


if __name__ == "__main__":
    main()
