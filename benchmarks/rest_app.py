"""Fluxbase as benchmarks.rest serves it: the whole application, without what the peers do not do either.

`LIMITED=1` keeps the limit on requests per client (a round trip to Redis each), which neither peer has.
"""

import os

from fastapi import FastAPI

from fluxbase.app import create_app
from fluxbase.http.surround import Surround
from fluxbase.monitoring import configure_logging
from fluxbase.ratelimit.http import RequestLimit
from fluxbase.resources import Addresses
from fluxbase.serving.server import tune_garbage_collection
from fluxbase.settings import Settings


def make() -> FastAPI:
    """For `uvicorn --factory`; addresses and settings come by the environment."""
    configure_logging(level="error")
    settings = Settings(_env_file=None)
    addresses = Addresses(
        owner_dsn=os.environ["BENCH_OWNER"],
        runtime_dsn=os.environ["BENCH_RUNTIME"],
        redis_url=os.environ["BENCH_REDIS"],
        secret=os.environ["BENCH_SECRET"],
    )
    app = create_app(settings, addresses)
    if not os.environ.get("LIMITED"):
        surround = next(entry for entry in app.user_middleware if entry.cls is Surround)
        surround.kwargs["steps"] = [step for step in surround.kwargs["steps"] if not isinstance(step, RequestLimit)]
    tune_garbage_collection()
    return app
