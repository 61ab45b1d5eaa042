"""Run every benchmark of this folder in turn: `python -m tests.bench`."""

import subprocess
import sys
from pathlib import Path

for script in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"\n== {script.stem}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.bench.{script.stem}"], check=False)
