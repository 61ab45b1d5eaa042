"""Programs that are not Python's: found on PATH, run so that they die with their caller."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tasks.errors import Rejected

_PR_SET_PDEATHSIG = 1
_SHOWN_CHARACTERS = 300


@cache
def find_program(*names: str) -> str | None:
    """The path of the first of these programs that is installed; None without one."""
    return next((path for name in names if (path := shutil.which(name))), None)


def run(command: Sequence[str | Path]) -> bytes:
    """Run a program to its end and answer its output; Rejected when it fails, with its words."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )
    if done.returncode != 0:
        words = " ".join(done.stderr.decode(errors="replace").split())[:_SHOWN_CHARACTERS]
        raise Rejected(
            f"{Path(command[0]).name} could not read it: {words or f'exit code {done.returncode}'}",
            "Open it in the program that made it, and save it in a newer format.",
        )
    return done.stdout


def _die_with_parent() -> None:
    """A killed parser must leave no program behind; its one thread makes this safe after fork."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
