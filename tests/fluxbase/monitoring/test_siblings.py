"""Whichever process is asked answers for all that live."""

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from fluxbase.monitoring import metrics_of, siblings


def process() -> FastAPI:
    app = FastAPI()
    metrics_of(app)
    return app


async def samples(app: FastAPI) -> dict[tuple[str, str | None], float]:
    text = (await siblings.metrics_text(app)).decode()
    families = list(text_string_to_metric_families(text))
    assert len(families) == len({family.name for family in families}), "each family stands in one place"
    return {(one.name, one.labels.get("process")): one.value for family in families for one in family.samples}


@pytest.fixture
async def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    apps = [process(), process()]
    monkeypatch.setenv(siblings.FOLDER, str(tmp_path))
    async with AsyncExitStack() as running:
        for number, app in enumerate(apps, 1):
            monkeypatch.setenv(siblings.PROCESS, str(number))
            await running.enter_async_context(siblings.answering_siblings(app))
        yield apps


async def test_both_are_in_the_answer_of_either(two):
    for number, app in enumerate(two, 1):
        metrics_of(app).realtime_messages.inc(number)
        metrics_of(app).http_duration.labels("GET", "/").observe(number)
    name = "fluxbase_realtime_messages_total"
    for app in two:
        found = await samples(app)
        assert {process: found[name, process] for process in "12"} == {"1": 1, "2": 2}
        assert found["fluxbase_http_request_duration_seconds_sum", "2"] == 2
        assert (name, None) not in found


async def test_one_that_was_killed_and_one_that_hangs_are_missing_and_no_more(two, tmp_path, monkeypatch):
    monkeypatch.setattr(siblings, "_PATIENCE_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as killed, socket.socket(socket.AF_UNIX) as hanging:
        killed.bind(str(tmp_path / "3.metrics"))  # nobody listens any more
        hanging.bind(str(tmp_path / "4.metrics"))
        hanging.listen()
        async with asyncio.timeout(5):
            found = await samples(two[0])
    assert {process for _, process in found} == {"1", "2"}


async def test_one_that_comes_back_takes_its_place_again(two, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(tmp_path / "3.metrics"))
    monkeypatch.setenv(siblings.PROCESS, "3")
    async with siblings.answering_siblings(process()):
        assert {process for _, process in await samples(two[0])} == {"1", "2", "3"}
    assert {process for _, process in await samples(two[0])} == {"1", "2"}


async def test_alone_there_is_no_label(monkeypatch):
    monkeypatch.delenv(siblings.FOLDER, raising=False)
    app = process()
    async with siblings.answering_siblings(app):
        assert {process for _, process in await samples(app)} == {None}
