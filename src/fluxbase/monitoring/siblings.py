"""Several processes behind one address: whichever of them is asked for metrics answers for all.

Each has a UNIX socket in a folder that the supervisor made, and writes its metrics to who connects. So nothing is
written while nobody asks, what is read is never old, and who is dead does not answer.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from fluxbase.monitoring.metrics import metrics_of

logger = structlog.get_logger(__name__)

PROCESS, FOLDER = "FLUXBASE_PROCESS", "FLUXBASE_PROCESS_FOLDER"
"""What a supervisor tells its children: their name in the metrics, and where the sockets are."""
_SUFFIX = ".metrics"
_PATIENCE_SECONDS = 2.0


@asynccontextmanager
async def answering_siblings(app: FastAPI) -> AsyncGenerator[None]:
    """Answer the other processes while the application runs; alone, do nothing."""
    async with answering(metrics_of(app).registry) as folder:
        app.state.siblings = folder
        yield


@asynccontextmanager
async def answering(registry: CollectorRegistry) -> AsyncGenerator[Path | None]:
    """Answer the other processes with `registry`; yields the folder of the sockets, None for a process alone."""
    name, folder = os.environ.get(PROCESS), os.environ.get(FOLDER)
    if not (name and folder):
        yield None
        return

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(generate_latest(registry))
            await writer.drain()
        except ConnectionError:
            logger.debug("a process did not wait for the metrics that it asked for")
        finally:
            writer.close()

    path = Path(folder) / f"{name}{_SUFFIX}"
    path.unlink(missing_ok=True)  # left by one of this name that was killed
    async with await asyncio.start_unix_server(answer, path):
        yield Path(folder)
    path.unlink(missing_ok=True)


async def metrics_text(app: FastAPI) -> bytes:
    """The metrics of this process, or of all of them with the label `process`, in Prometheus' text format."""
    folder: Path | None = getattr(app.state, "siblings", None)
    return generate_latest(await everybodys(metrics_of(app).registry, folder))


async def everybodys(registry: CollectorRegistry, folder: Path | None) -> CollectorRegistry:
    """`registry` itself without a folder; else what all processes of the folder say, with the label `process`."""
    if folder is None:
        return registry
    paths = _sockets(folder)
    texts = await asyncio.gather(*(_ask(path) for path in paths))
    named = [(path.stem, text) for path, text in zip(paths, texts, strict=True) if text is not None]
    merged = CollectorRegistry()
    merged.register(_Merged(named))
    return merged


def _sockets(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"))


async def _ask(path: Path) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return (await reader.read()).decode()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        logger.warning("metrics of a process are missing", process=path.stem, error=f"{type(error).__name__}: {error}")
        return None


class _Merged(Collector):
    """The families of several expositions, each once, with the samples of all."""

    def __init__(self, expositions: Iterable[tuple[str, str]]) -> None:
        self._expositions = expositions

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for process, text in self._expositions:
            for found in text_string_to_metric_families(text):
                family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
                for sample in found.samples:
                    labels = {**sample.labels, "process": process}
                    family.add_sample(sample.name, labels, sample.value)
        return families.values()
