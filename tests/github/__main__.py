"""`python -m tests.github`: the fake GitHub as a process, until SIGTERM; its first line says where it is, as JSON."""

import asyncio
import json
import signal

from . import admin
from .fake import APP_ID, fake_github


async def main() -> None:
    stopped = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stopped.set)
    async with fake_github(admin.routes) as fake:
        told = {"url": fake.url, "storage": fake.storage, "app_id": APP_ID, "private_key": fake.private_key}
        print(json.dumps(told), flush=True)
        await stopped.wait()


asyncio.run(main())
