"""The database: connections, the schema that `sql/` describes, named queries, the embedded server.

The only room that opens connections.
"""

from tasks.database.connection import asyncpg_url, connect, dsn, for_programs, reach
from tasks.database.locks import hold, is_held
from tasks.database.migrate import MigrationReport, check, migrate
from tasks.database.pool import Pool
from tasks.database.queries import query
from tasks.database.schema import newest_migration
from tasks.database.server import bin_path, stop
from tasks.database.transfer import dump, load, require_all_rows

__all__ = [
    "MigrationReport",
    "Pool",
    "asyncpg_url",
    "bin_path",
    "check",
    "connect",
    "dsn",
    "dump",
    "for_programs",
    "hold",
    "is_held",
    "load",
    "migrate",
    "newest_migration",
    "query",
    "reach",
    "require_all_rows",
    "stop",
]
