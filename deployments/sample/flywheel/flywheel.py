"""The whole loop on one machine: `make flywheel`. No key, no network, a processor is enough.

A small model answers questions about the sample's documents; a help desk answers others; its
answers become a dataset, the dataset an adapter; the gate compares the two on questions that
neither was trained on; the better one answers. The model has 135 million parameters: what the demo
shows is the loop, not what good answers are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from tasks.settings import Settings, variables

HERE = Path(__file__).parent
SAMPLE = HERE.parent
EXAM = 20
"""Golden questions that are asked of both models; the desk answered the others."""
ASKED = (
    "How often is the shaft of a stored pump turned?",
    "What is the flash point of Brinol 20?",
)


def main(openbook: str) -> None:
    """Go once round the loop, in a book of its own that is made anew."""
    home = Path(variables().get("OPENBOOK_HOME") or Settings().home) / "flywheel"
    os.environ |= alone(home)
    started = time.monotonic()
    if home.exists():
        subprocess.run([openbook, "down"], check=True, capture_output=True)
        shutil.rmtree(home)
    home.mkdir(parents=True)
    try:
        go_round(openbook, home)
    finally:
        subprocess.run([openbook, "down"], check=True, capture_output=True)
    print(f"\nOnce round in {time.monotonic() - started:.0f} s. The book is under {home}.")


def alone(home: Path) -> dict[str, str]:
    """The variables of a book that shares nothing with the one that is configured.

    An empty variable is as good as none, and comes before what `.env` says; one that is taken out
    would be read from there.
    """
    return {
        **{f"OPENBOOK_{one.name.upper()}": "" for one in fields(Settings)},
        "OPENBOOK_HOME": str(home),
        "OPENBOOK_ANSWER_MODEL": "offline",
        "OPENBOOK_CHUNK_TOKENS": "96",  # a window of 1,024 tokens, and a processor to train on
        "PREFECT_API_URL": "",
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }


def go_round(openbook: str, home: Path) -> None:
    """The steps of the loop, each a command that is shown with what it prints."""

    def show(*arguments: str) -> None:
        print(f"\n\033[1m$ openbook {' '.join(arguments)}\033[0m", flush=True)
        subprocess.run([openbook, *arguments], check=True)

    questions = yaml.safe_load((SAMPLE / "golden.yaml").read_text("utf-8"))["questions"]
    step = len(questions) / EXAM
    held = {round(place * step) for place in range(EXAM)}
    exam = home / "exam.yaml"
    exam.write_text(yaml.safe_dump({"questions": [questions[one] for one in sorted(held)]}))

    show("ingest", str(SAMPLE / "drop"))
    for question in ASKED:
        show("answer", question)

    log = home / "desk.jsonl"
    others = [one for place, one in enumerate(questions) if place not in held]
    others = [one for one in others if "expected_answer" in one]
    answer_at_the_desk(others, log)
    print(f"\nThe desk answered {len(others)} other questions, from what openbook's search found.")
    show("conversations", "load", str(log))
    show("golden", "import", str(exam), "--set", "exam", "--collection", "default")
    show("retrain", str(HERE / "retrain.yaml"), "--wait", "60")
    show("models")
    for question in ASKED:
        show("answer", question)


def answer_at_the_desk(questions: list[dict[str, Any]], log: Path) -> None:
    """What an application writes that searches for a person, and logs what the person answered."""
    from tasks.retrieve.search import search

    with log.open("w", encoding="utf-8") as file:
        for number, one in enumerate(questions):
            hits = search(one["question"], k=3)
            messages = [
                {"role": "user", "content": one["question"]},
                {
                    "role": "assistant",
                    "content": one["expected_answer"],
                    "chunk_ids": [hit.chunk_id for hit in hits],
                    "feedback": "up",
                },
            ]
            line = {"id": f"desk-{number}", "user": f"customer-{number}", "messages": messages}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
