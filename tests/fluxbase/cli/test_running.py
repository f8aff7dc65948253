"""How roles run."""

import asyncio

import uvloop

from fluxbase.serving import run


def test_a_role_runs_on_uvloop() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())

    run(main())

    assert isinstance(loops[0], uvloop.Loop)
