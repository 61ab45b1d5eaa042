"""What the process from which the killed ones are forked imports, so that none of them has to."""

from __future__ import annotations

import gc
from importlib import import_module

for _module in (
    "tests.faults.process",
    # These a run would import when it comes to them.
    "anyio._backends._asyncio",
    "fastapi",
    "graphviz",
    "httpcore2",
    "prefect.flow_engine",
    "prefect.task_engine",
    "psycopg",
    "tasks.embedders.openai",
):
    import_module(_module)

gc.freeze()  # nothing of it is garbage: half of a short run went into looking
