"""`openbook evaluate --held-out`: a base and its adapter, compared example by example."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from flows.cli import main
from tasks.training.local.artifact import digest
from tasks.training.registry import Candidate, register
from tests.book import Book
from tests.datasets.conftest import Log
from tests.training.local.conftest import FACTS


def told(*arguments: str) -> Any:
    """The JSON of an evaluation that succeeds."""
    result = CliRunner().invoke(main, ["evaluate", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_held_out_split_is_measured_and_compared(book: Book, tiny: Path) -> None:
    with book.connect() as connection:
        log = Log(connection, book.settings)
        for asked, said in FACTS * 5:
            log.say(asked, said)
        made = log.curate(
            "quality: {min_tokens: 1}\ndedupe: {exact: false, near: 0}\n"
            "decontaminate: {test_share: 0}\nsplit: {train: 0.5, validation: 0.0, test: 0.5}"
        )
        held_out = made.decision.splits["test"]
    assert held_out > 0
    first = told("--held-out", "support", "--model", str(tiny))
    assert (first["purpose"], first["finished"], first["against"]) == ("perplexity", True, None)
    nll = first["measures"]["nll"]
    assert 0 < nll["value"] < 10
    second = told("--held-out", "support@1", "--model", str(tiny))
    assert second["against"]["id"] == first["id"]
    assert second["against"]["measures"]["nll"]["difference"] == 0
    with book.connect() as connection:
        items = connection.execute(
            "select r.item from answer_results r where r.answer_evaluation_id = %s"
            " and exists (select from examples e where encode(e.sha256, 'hex') = r.item)",
            [first["id"]],
        ).rowcount
    assert items == nll["items"]


def test_an_adapter_is_compared_with_its_base(book: Book, tiny: Path, trained: Path) -> None:
    with book.connect() as connection:
        log = Log(connection, book.settings)
        for asked, said in FACTS * 5:
            log.say(asked, said)
        log.curate(
            "quality: {min_tokens: 1}\ndedupe: {exact: false, near: 0}\n"
            "decontaminate: {test_share: 0}\nsplit: {train: 0.5, validation: 0.0, test: 0.5}"
        )
        taught = Candidate(
            name="halls", base=str(tiny), artifact=str(trained),
            artifact_sha256=bytes.fromhex(digest(trained)), host=socket.gethostname(),
        )  # fmt: skip
        register(connection, taught)
    base = told("--held-out", "support", "--model", str(tiny))
    adapted = told("--held-out", "support", "--model", "halls@1")
    assert (adapted["model"], adapted["against"]["id"]) == ("halls@1", base["id"])
    assert adapted["against"]["measures"]["nll"]["interval"][1] < 0


def test_a_held_out_split_needs_a_model_of_this_machine() -> None:
    for arguments in (["--held-out", "x"], ["--held-out", "x", "--golden", "y", "--model", "z"]):
        assert CliRunner().invoke(main, ["evaluate", *arguments]).exit_code == 2
