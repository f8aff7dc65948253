"""A server on this machine that stands in for where artifacts are: each run has one, a ZIP with a JUnit report."""

import asyncio
import io
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from zipfile import ZIP_DEFLATED, ZipFile
from zlib import crc32

_FLAKY_EACH, _FLAKY_AT = 50, 7
_REQUEST = re.compile(rb"GET /artifacts/(\d+)\.zip ")


def report(run: int, cases: int) -> bytes:
    """The report of a run: 2 % of its tests are flaky and fail in a quarter of the runs, then pass when repeated."""
    lines = ['<testsuites><testsuite name="load">']
    for case in range(cases):
        head = f'<testcase classname="load.Class{case // 20}" name="test_{case}" time="0.0{case % 89}"'
        if case % _FLAKY_EACH == _FLAKY_AT and crc32(f"{case} in {run}".encode()) % 4 == 0:
            failure = f'<failure message="expected {case}" type="AssertionError">at load.py:{case}</failure>'
            lines.append(f"{head}>{failure}</testcase>")
        lines.append(head + "/>")
    return "\n".join([*lines, "</testsuite></testsuites>"]).encode()


def artifact(run: int, cases: int) -> bytes:
    """The ZIP that CI would have uploaded."""
    whole = io.BytesIO()
    with ZipFile(whole, "w", ZIP_DEFLATED) as archive:
        archive.writestr("reports/junit.xml", report(run, cases))
    return whole.getvalue()


@asynccontextmanager
async def serving(cases: int) -> AsyncGenerator[str]:
    """Serve `GET /artifacts/<run>.zip`; yields the address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while found := _REQUEST.match(await reader.readuntil(b"\r\n\r\n")):
                body = artifact(int(found[1]), cases)
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has what it wanted
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
