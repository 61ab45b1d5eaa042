"""The training process: `python -m tasks.training.local FOLDER` trains the job that lies there."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path

from tasks.errors import OpenbookError
from tasks.training.local import progress
from tasks.training.local.backend import read_job
from tasks.training.local.layout import LOG

os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    OMP_WAIT_POLICY="PASSIVE",
)
"""Nothing is downloaded and nobody is told; set before the libraries that read it are loaded.

Threads that wait sleep: on a busy machine, spinning took three times the processor's time.
"""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a full disk; safetensors says it in words alone."""


def main(folder: Path) -> int:
    """Train the job in a folder; what went wrong is the last line of its progress."""
    from tasks.training.local.train import train

    try:
        train(read_job(folder))
    except Exception as error:
        traceback.print_exc()
        progress.add(folder, event="failed", message=_said(error, folder))
        return 1
    return 0


def _said(error: Exception, folder: Path) -> str:
    if isinstance(error, OpenbookError):
        return str(error)
    again = "Submit the job again: it carries on from its last checkpoint."
    if getattr(error, "errno", None) in _FULL or any(f"os error {n})" in str(error) for n in _FULL):
        return f"The disk under {folder} is full. Make room. {again}"
    return f"{type(error).__name__}: {error} (all of it in {folder / LOG}). {again}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
