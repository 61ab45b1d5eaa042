"""The database: connections, the schema that `sql/` describes, named queries, the embedded server.

The only room that opens connections.
"""

from tasks.database.connection import connect, dsn
from tasks.database.locks import hold
from tasks.database.migrate import MigrationReport, check, migrate
from tasks.database.pool import Pool
from tasks.database.queries import query
from tasks.database.server import bin_path, stop

__all__ = [
    "MigrationReport",
    "Pool",
    "bin_path",
    "check",
    "connect",
    "dsn",
    "hold",
    "migrate",
    "query",
    "stop",
]
