"""The process that serves the small model: `python -m tasks.answer.offline_server MODEL FILE`.

It writes its address into FILE once it answers, and ends when it is told to.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

CONTEXT_TOKENS = 1024
"""The window: two or three passages. So small a model makes less of more of them, and slowly."""
_THREADS = 1
"""Several wait for each other, spinning, wherever other programs run."""


def main(model: str, file: str, adapter: str | None = None) -> None:
    """Serve a GGUF model, with a LoRA adapter if one is given, until SIGTERM."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {Path(model).stem}
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.n_gpu_layers = 0
    parameters.cpuparams.n_threads = _THREADS
    parameters.cpuparams_batch.n_threads = _THREADS
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    if adapter is not None:
        parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(adapter, 1.0)]
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    server = xllamacpp.Server(parameters)
    fresh = Path(f"{file}.new")
    fresh.write_text(server.listening_address)
    fresh.replace(file)
    signal.sigwait(ending)
    del server


if __name__ == "__main__":
    main(*sys.argv[1:])
