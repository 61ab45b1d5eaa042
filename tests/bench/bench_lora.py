"""Train an adapter: tokens a second, peak memory, the loss, and the share of a GPU's peak.

python -m tests.bench.bench_lora [--base BASE] [--steps N] [--length TOKENS] [--batch N]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tasks.settings import Settings
from tasks.training.backend import TrainingJob
from tasks.training.local import progress
from tasks.training.local.backend import LocalBackend
from tasks.training.local.base import find_base, load_model
from tests.bench.usage import Usage

REAL = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "conversations" / "sgd_openai.jsonl"
)
PEAK_TFLOPS = {"H200": 989.0, "H100": 989.0, "A100": 312.0, "L40S": 362.0}
"""Dense bfloat16 peaks of NVIDIA's data sheets, in 10^12 operations a second."""
WARM = 2
"""Steps that are not counted: the first ones allocate."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="smollm2", help="a base model on this machine")
    parser.add_argument(
        "--steps", type=int, default=12, help="updates of the weights (default: 12)"
    )
    parser.add_argument("--length", type=int, default=512, help="tokens a sequence (default: 512)")
    parser.add_argument("--batch", type=int, default=2, help="sequences a step (default: 2)")
    given = parser.parse_args()
    console = Console()
    if find_spec("torch") is None:
        console.print("PyTorch is not installed: `make train` brings it.")
        return
    with tempfile.TemporaryDirectory(prefix="openbook-bench-") as folder:
        measure(console, given, Path(folder))


def measure(console: Console, given: argparse.Namespace, folder: Path) -> None:
    """One training of packed sequences, each as long as asked, so that nothing is padding."""
    examples = real_chats(console, given.steps * given.batch * given.length, given.length)
    train = folder / "train.jsonl"
    train.write_text("".join(json.dumps(one) + "\n" for one in examples), encoding="utf-8")
    backend = LocalBackend(Settings())
    recipe = {
        "r": 16, "epochs": 1, "batch_size": given.batch, "max_length": given.length,
        "packing": True, "checkpoint_steps": 10_000,
    }  # fmt: skip
    job = TrainingJob("bench", "sft", given.base, train, folder / "run", "0" * 64, settings=recipe)
    prepared = backend.prepare(job)
    with Usage(bench=os.getpid()) as usage:
        job_id = backend.submit(prepared)
        try:
            while not (state := backend.poll(job_id)).ended:
                time.sleep(0.5)
        except KeyboardInterrupt:
            backend.cancel(job_id)
            raise
    if state.state != "succeeded":
        console.print(state.message)
        return
    lines = [line for line in progress.read(folder / "run") if "loss" in line]
    seconds = (lines[-1]["time"] - lines[WARM - 1]["time"]) / (len(lines) - WARM)
    rate = prepared.tokens / len(lines) / seconds
    table = Table(title=f"LoRA r=16 on {given.base}, {given.batch} x {given.length} tokens a step")
    for name in ("device", "steps", "s a step", "tokens/s", "CPU s a step", "peak MB", "of peak"):
        table.add_column(name, justify="right")
    device, share = on_device(given.base, rate)
    table.add_row(
        device, str(len(lines)), f"{seconds:.2f}", f"{rate:,.0f}",
        f"{usage.started('bench') / len(lines):.1f}", f"{usage.peak['bench'][1]:,.0f}", share,
    )  # fmt: skip
    console.print(table)
    console.print("Loss by step:", " ".join(f"{line['loss']:.2f}" for line in lines))


def real_chats(console: Console, tokens: int, length: int) -> list[dict[str, Any]]:
    """Chats of about so many tokens: how real dialogues begin, where they are there."""
    if not REAL.exists():
        console.print(f"{REAL} is not there: made-up chats instead.")
        said = " ".join(f"word{number}" for number in range(40))
        turn = [{"role": "user", "content": said}, {"role": "assistant", "content": said}]
        return [{"messages": turn} for _ in range(tokens // 300 + 1)]
    found: list[dict[str, Any]] = []
    for line in REAL.read_text(encoding="utf-8").splitlines():
        turns = [
            {"role": one["role"], "content": one["content"]}
            for one in json.loads(line)["messages"]
            if one["role"] in ("user", "assistant") and one["content"]
        ]
        while turns and (turns[-1]["role"] != "assistant" or about(turns) > length * 0.7):
            turns.pop()
        if turns and turns[0]["role"] == "user":
            found.append({"messages": turns})
            tokens -= about(turns)
        if tokens <= 0:
            break
    return found


def about(turns: list[dict[str, str]]) -> int:
    """How many tokens the turns have, about, with what a chat template adds."""
    return 24 + sum(len(one["content"]) // 4 + 6 for one in turns)


def on_device(base: str, rate: float) -> tuple[str, str]:
    """What it ran on, and the share of its peak: 4 operations a weight and token.

    The base's weights are frozen: 2 operations forward and 2 for the gradient of their inputs,
    against 6 where they are trained (Kaplan et al., 2020, arXiv:2001.08361). Attention's own
    products are left out.
    """
    import torch

    if not torch.cuda.is_available():
        return f"CPU, {torch.get_num_threads()} threads", "-"
    name = torch.cuda.get_device_name()
    peak = next((tflops for chip, tflops in PEAK_TFLOPS.items() if chip in name), None)
    weights = sum(one.numel() for one in load_model(find_base(base)).parameters())
    return name, f"{4 * weights * rate / (peak * 1e12):.1%}" if peak else "unknown chip"


if __name__ == "__main__":
    main()
