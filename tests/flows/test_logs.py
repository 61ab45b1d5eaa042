"""What a flow logs where logs are JSON: lines that name their run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from prefect.settings import PREFECT_API_URL

from tests.book import Book


def test_a_flows_log_is_json_lines_with_the_ids_of_its_run(book: Book) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide follows the new moon.\n")
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "ingest", str(book.drop), "--json"],
        env={
            **{
                name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")
            },
            "OPENBOOK_LOGS": "json",
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert len({one["flow_run_id"] for one in lines if "flow_run_id" in one}) == 1
    (told,) = [one for one in lines if one.get("event") == "openbook.document.published"]
    assert told["flow_run_id"]
    assert told["facts"]["run"] == json.loads(done.stdout)["run_id"]
    assert "spring" not in done.stderr
