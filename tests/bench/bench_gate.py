"""How often the gate promotes a model that is no better, and how often one that is.

python -m tests.bench.bench_gate [--gates N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tasks.training.examinations import Examination
from tasks.training.gate import GUARDS, Rules, Standing, judge

RULES = Rules(without=GUARDS)
SIZES = (20, 50, 100, 200, 400)
Pairs = tuple[NDArray[np.float64], NDArray[np.float64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--gates", type=int, default=2000, help="simulated a cell, a fourth where graded (2000)"
    )
    gates = parser.parse_args().gates
    console = Console()
    started = time.process_time()
    random = np.random.default_rng(7)
    for title, draw in (("pass or fail", passes), ("graded, token F1", graded)):
        table = Table(title=f"{title}: share of candidates that are promoted")
        table.add_column("true gain")
        for size in SIZES:
            table.add_column(f"{size} items", justify="right")
        for gain in (0.0, -0.05, 0.05, 0.1, 0.15):
            count = gates if draw is passes else gates // 4
            shares = [promoted(draw, random, size, gain, count) for size in SIZES]
            table.add_row(f"{gain:+.2f}", *(f"{share:.3f}" for share in shares))
        console.print(table)
    console.print(f"{time.process_time() - started:.0f} CPU s")


def promoted(
    draw: Callable[[Generator, int, float], Pairs],
    random: Generator,
    size: int,
    gain: float,
    gates: int,
) -> float:
    """The share of candidates of that true gain that the gate lets through."""
    standing = Standing(None, None, (), datetime.now(UTC).date())
    passed = 0
    for _ in range(gates):
        ours, theirs = draw(random, size, gain)
        found = judge([exam("new", ours)], [exam("old", theirs)], standing, RULES)
        passed += found.passes
    return passed / gates


def exam(model: str, values: NDArray[np.float64]) -> Examination:
    scores = {f"q{n}": {"correct": float(value)} for n, value in enumerate(values)}
    return Examination("golden", "task", model, len(values), True, scores)


def passes(random: Generator, size: int, gain: float) -> Pairs:
    """Items of which 20 % differ between the two, by that gain more to the candidate's good."""
    differs = random.random(size) < 0.2
    won = random.random(size) < 0.5 + gain / 0.4
    alike = (random.random(size) < 0.7).astype(float)
    return np.where(differs, won, alike), np.where(differs, ~won, alike)


def graded(random: Generator, size: int, gain: float) -> Pairs:
    """Items of which 30 % are answered quite differently (by .6), the others nearly alike."""
    differs = random.random(size) < 0.3
    sign = np.where(random.random(size) < 0.5 + gain / 0.36, 1, -1)
    theirs = random.beta(0.8, 0.5, size)
    return theirs + random.normal(0, 0.05, size) + 0.6 * sign * differs, theirs


if __name__ == "__main__":
    main()
