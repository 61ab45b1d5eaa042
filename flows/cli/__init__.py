"""The `openbook` command: the same actions by hand.

Exit codes: 0 done, 1 something was rejected or failed (and is named), 2 wrong usage. Libraries are
loaded by the command that needs them, so that `openbook search` answers at once.
"""

from flows.cli import (
    advise,
    answer,
    backups,
    books,
    conversations,
    datasets,
    evaluate,
    golden,
    models,
    operate,
    retrain,
    rights,
    search,
    serve,
    upkeep,
)
from flows.cli.group import main

__all__ = [
    "advise",
    "answer",
    "backups",
    "books",
    "conversations",
    "datasets",
    "evaluate",
    "golden",
    "main",
    "models",
    "operate",
    "retrain",
    "rights",
    "search",
    "serve",
    "upkeep",
]
