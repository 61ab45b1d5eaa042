"""The process that parses: reads requests from its standard input, answers on a pipe of its own."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from tasks.errors import Killed, Rejected, Retryable
from tasks.ingest.parse.confinement import allow_cpu, confine, resident_bytes
from tasks.ingest.parse.readers import parse
from tasks.ingest.parse.wire import answer, read_request
from tasks.records import Document

_SHOWN_CHARACTERS = 300
_TRANSIENT = frozenset(
    (
        errno.ENOENT,
        errno.EIO,
        errno.ENOSPC,
        errno.EMFILE,
        errno.ENFILE,
        errno.EAGAIN,
        errno.ESTALE,
    )
)


def main(arguments: Sequence[str]) -> None:
    """Serve requests until the input ends: PARENT_PID ANSWERS_FD MEGABYTES SECONDS."""
    parent, answers, megabytes = (int(argument) for argument in arguments[:3])
    seconds = float(arguments[3])
    confine(megabytes, parent)
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)  # tokens and elements come by the hundred thousand
    _write(answers, b"\1")
    for line in sys.stdin.buffer:
        allow_cpu(seconds)
        _write(answers, _answer(line, megabytes))
        with suppress(OSError):
            os.ftruncate(sys.stderr.fileno(), 0)  # what libraries said of this file


def _answer(line: bytes, megabytes: int) -> bytes:
    outcome, healthy = _outcome(line, megabytes)
    try:
        return answer(outcome, resident_bytes(), healthy)
    except MemoryError:
        del outcome
        return answer(_too_large(megabytes), resident_bytes(), healthy=False)


def _outcome(line: bytes, megabytes: int) -> tuple[Document | Rejected | Retryable, bool]:
    """What came of one file, and whether the process is fit for the next."""
    path, format = read_request(line)
    try:
        return parse(path, format), True
    except (Rejected, Retryable) as error:
        return error, True
    except MemoryError:
        return _too_large(megabytes), False
    except OSError as error:
        return _out_of_reach(error, format), False
    except Exception as error:
        return _failure(error, format), False


def _out_of_reach(error: OSError, format: str) -> Rejected | Retryable:
    if isinstance(error, PermissionError):
        return Rejected("It may not be read", "Give the user who ingests the right to read it.")
    if error.errno in _TRANSIENT:
        return Retryable(f"It could not be read: {error.strerror}", "Ingest again.")
    return _failure(error, format)


def _too_large(megabytes: int) -> Killed:
    return Killed(
        f"It needs more than {megabytes} MB to parse",
        "Raise OPENBOOK_PARSE_MEGABYTES, or split the file.",
    )


def _failure(error: Exception, format: str) -> Rejected:
    if isinstance(error, RecursionError):
        return Rejected("It is nested too deeply", "Flatten it, or save it as text.")
    words = " ".join(str(error).split())[:_SHOWN_CHARACTERS]
    return Rejected(
        f"It cannot be read as {format} ({type(error).__name__}: {words})",
        "Check that its own program opens it; save it again, or as pdf.",
    )


def _write(answers: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(answers, view) :]


if __name__ == "__main__":
    main(sys.argv[1:])
