"""Whether the database answers: asked on a turn and a connection of its own, busy or not."""

from __future__ import annotations

from dataclasses import replace

from tasks.database import Pool
from tasks.serve.limits import Limits, Turns
from tasks.settings import Settings


class Probe:
    """What `/health` asks. It never stands behind searches: a burst of them is no outage."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._turns = Turns(replace(limits, concurrency=1))
        self._pool = Pool(
            settings.reading(), 1, seconds=limits.seconds, application_name="openbook serve"
        )

    async def ask(self) -> None:
        """Raises what stands between the database and an answer."""
        await self._turns.run(
            lambda: self._pool.run(lambda connection: connection.execute("select 1"))
        )

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()
