"""A small test collection on disk, in the BEIR layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CORPUS = {
    "tides": "The spring tide follows the new moon.",
    "wind": "The trade wind blows steady from the east.",
    "pump": "Error ERR-1042 means that the pump has run dry.",
}
QUERIES = {"q1": "when is the spring tide", "q2": "ERR-1042", "q3": "nobody judged this"}


def lines(rows: dict[str, str]) -> str:
    """Entries as a file of JSON Lines."""
    return "".join(json.dumps({"_id": id, "text": text}) + "\n" for id, text in rows.items())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The collection's folder."""
    folder = tmp_path / "small"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(lines(CORPUS))
    (folder / "queries.jsonl").write_text(lines(QUERIES))
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\ttides\t2\nq1\twind\t0\nq2\tpump\t1\n"
    )
    return folder
