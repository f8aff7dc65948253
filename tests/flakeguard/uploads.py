"""Small reports and uploads of them."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import httpx

PASS, FAIL, ERROR, SKIP = "pass", "fail", "error", "skip"
_INSIDE = {
    PASS: "",
    FAIL: '<failure message="expected 1, got 2" type="AssertionError">at shop.py:12</failure>',
    ERROR: '<error message="boom" type="OSError">at shop.py:99</error>',
    SKIP: "<skipped/>",
}


def report(tests: Mapping[str, str | Sequence[str]], *, suite: str = "shop", class_name: str = "tests.Cart") -> bytes:
    """A JUnit report: test name to outcome, or to the outcomes of its attempts in order."""
    cases = "".join(
        f"<testcase classname={quoteattr(class_name)} name={quoteattr(name)} time='0.01'>{_INSIDE[outcome]}</testcase>"
        for name, outcomes in tests.items()
        for outcome in ([outcomes] if isinstance(outcomes, str) else outcomes)
    )
    return f"<testsuites><testsuite name={quoteattr(suite)}>{cases}</testsuite></testsuites>".encode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An archive of files by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


async def upload(
    client: httpx.AsyncClient,
    headers: Mapping[str, str],
    *files: bytes,
    wait: int = 20,
    names: Sequence[str] = (),
    **meta: Any,
) -> httpx.Response:
    """POST files with meta; `sha` and `branch` have defaults."""
    document = {"sha": "0" * 40, "branch": "main", "job_name": "unit"} | meta
    parts: list[tuple[str, Any]] = [("meta", (None, json.dumps(document), "application/json"))]
    for number, content in enumerate(files):
        name = names[number] if number < len(names) else f"report-{number}.xml"
        parts.append(("junit", (name, content, "application/xml")))
    return await client.post("/api/v1/ingest/junit", params={"wait": wait}, files=parts, headers=headers)


def data(response: httpx.Response, status: int = 202) -> Any:
    assert response.status_code == status, response.text
    return response.json()["data"]


def error_code(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    return response.json()["error"]["code"]
