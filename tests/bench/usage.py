"""CPU seconds and memory of processes and of those that they started, read from /proc."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_INTERVAL_SECONDS = 0.1


class Usage:
    """Watches process trees, each given by its root: a context manager around what they do.

    `own` holds the CPU seconds of a root itself, `started` those of all processes below it, the
    ended ones included; `peak` the most memory in MB that was seen resident: of a root, and of all
    below it at once.
    """

    def __init__(self, **roots: int) -> None:
        self._roots = roots
        self._before: dict[str, tuple[float, float]] = {}
        self._after: dict[str, tuple[float, float]] = {}
        self.peak: dict[str, tuple[float, float]] = dict.fromkeys(roots, (0.0, 0.0))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Usage:
        self._before = {name: _cpu(root)[:2] for name, root in self._roots.items()}
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self._sample()

    def own(self, name: str) -> float:
        return self._after[name][0] - self._before[name][0]

    def started(self, name: str) -> float:
        return self._after[name][1] - self._before[name][1]

    def _watch(self) -> None:
        while not self._done.wait(_INTERVAL_SECONDS):
            self._sample()

    def _sample(self) -> None:
        for name, root in self._roots.items():
            own, started, memory, below = _cpu(root)
            if own:
                self._after[name] = own, started
                peak = self.peak[name]
                self.peak[name] = max(peak[0], memory), max(peak[1], below)


def resident(root: int, *, below: bool = True) -> float:
    """MB of a process, with all below it unless told not to; what is shared counts as its share."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(entry.name))
    kilobytes, waiting = 0, [root]
    while waiting:
        one = waiting.pop()
        waiting += parents.get(one, ()) if below else ()
        with suppress(OSError):
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
            kilobytes += int(rollup.partition("\nPss:")[2].split()[0])
    return kilobytes / 1024


def _cpu(root: int) -> tuple[float, float, float, float]:
    """CPU seconds of a process and of all below it, ended ones included; MB resident likewise."""
    children: dict[int, list[int]] = {}
    rows: dict[int, tuple[float, float, float]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        own, ended = (int(fields[11]) + int(fields[12])), (int(fields[13]) + int(fields[14]))
        rows[int(entry)] = own / _TICKS, ended / _TICKS, int(fields[21]) * _PAGE / 2**20
        children.setdefault(int(fields[1]), []).append(int(entry))
    if root not in rows:
        return 0.0, 0.0, 0.0, 0.0
    own_seconds, started, memory = rows[root]
    below, memory_below = list(children.get(root, ())), 0.0
    while below:
        one = below.pop()
        started += rows[one][0] + rows[one][1]
        memory_below += rows[one][2]
        below += children.get(one, ())
    return own_seconds, started, memory, memory_below
