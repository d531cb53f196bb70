"""A worker of Procrastinate with a task that does nothing; `prepare` makes its tables."""

import asyncio
import logging
import sys

from procrastinate import App, PsycopgConnector

action, address, concurrency = sys.argv[1:]
app = App(connector=PsycopgConnector(conninfo=address, max_size=int(concurrency)))
logging.disable(logging.WARNING)


@app.task(name="noop")
async def noop() -> None:
    pass


async def main() -> None:
    async with app.open_async():
        if action == "prepare":
            await app.schema_manager.apply_schema_async()
        else:
            await app.run_worker_async(concurrency=int(concurrency), install_signal_handlers=False)


asyncio.run(main())
