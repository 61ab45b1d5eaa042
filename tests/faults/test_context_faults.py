"""What a run that dies while contexts are written has bought."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.chat import chat_endpoint
from tests.endpoint import changed
from tests.faults.conftest import Lab

SLICE = 16


def test_a_killed_run_buys_at_most_what_was_under_way_again(lab: Lab) -> None:
    words = " ".join(f"word{n}" for n in range(30))
    manual = "".join(f"# Part {n}\n\nIt is number {n}. {words}\n\n" for n in range(40))
    (lab.drop / "manual.md").write_text(manual)
    with chat_endpoint() as model:
        environment = {"OPENBOOK_CONTEXT_MODEL": "scribe", "OPENBOOK_CONTEXT_URL": model.url}

        def kill(_handler: Any, _answer: Any) -> None:
            os.kill(running.process.pid or 0, signal.SIGKILL)

        model.then(*[changed(lambda _: None)] * (2 * SLICE + 5), kill)
        running = lab.start(environment=environment)
        assert running.wait().killed, lab.output()
        lab.settle()
        assert lab.ingest(environment=environment).error is None, lab.output()
        chunks = len(set(model.passages))
        assert chunks >= 40
        assert len(model.passages) - chunks <= SLICE
    lab.assert_sound("at rest")
