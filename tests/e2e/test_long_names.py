"""Names as long as they may be, in any script and full of markup: pages stay as wide as the screen."""

import json
from xml.sax.saxutils import quoteattr

import httpx
import pytest
from playwright.async_api import expect

from flakeguard.projects import api_keys, projects

pytestmark = pytest.mark.browser

ARABIC = "اختبار_الدفع_بالبطاقة_" * 20
NAMES = ("x" * 500, "日本語のテスト" * 60, ARABIC, "<img src=x onerror=alert(1)>" * 15)
CUT_OFF = """
    [...document.querySelectorAll(".table-wrap")].filter(table => table.scrollWidth > table.clientWidth).length
"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def report(*, failing: bool) -> str:
    said = f"<script>alert(1)</script> {ARABIC} {'m' * 3000}"
    failure = f"<failure type={quoteattr('T' * 300)} message={quoteattr(said)}>s</failure>" if failing else ""
    place = f"classname={quoteattr('C' * 300)} file={quoteattr('dir/' * 100 + 'f.py')}"
    cases = "".join(f"<testcase {place} name={quoteattr(name)}>{failure}</testcase>" for name in NAMES)
    return f"<testsuite name={quoteattr('suite' * 50)}>{cases}</testsuite>"


async def send(site, token: str, run: int, *, failing: bool) -> None:
    meta = {
        "sha": f"{7000 + run // 2:040x}", "branch": f"feature/{'a-long-name-' * 18}", "github_run_id": 7000 + run // 2,
        "github_run_attempt": 1 + run % 2, "job_name": "job " * 40, "job_variant": "variant-" * 20,
    }  # fmt: skip
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{site.url}/api/v1/ingest/junit",
            headers={"Authorization": f"Bearer {token}"},
            files=[("meta", (None, json.dumps(meta))), ("junit", ("r" * 200 + ".xml", report(failing=failing)))],
        )
    assert answer.status_code == 202, answer.text


@pytest.fixture
async def long_names(site):
    """A project of such tests, which failed and passed on the same commits."""
    database = site.resources.database
    project = await projects.create(database, site.owner, "acme", name="A project " + "of a long name " * 12)
    _, token = await api_keys.create(database, site.owner, project.id, name="k" * 200)
    for run in range(6):
        await send(site, token, run, failing=run % 2 == 0)
    yield f"{site.url}/projects/{project.id}"
    await projects.delete(database, site.owner, project.id, confirm=project.slug)


async def test_pages_stay_as_wide_as_the_screen(page, long_names) -> None:
    await page.goto(f"{long_names}/uploads")
    await expect(page.locator("details.upload")).to_have_count(6)
    await expect(page.locator("details.upload summary .badge", has_text="Analysed")).to_have_count(6)
    await page.goto(f"{long_names}?verdict=any&q=xxx")
    test = await page.locator(".test-name a").first.get_attribute("href")
    await page.goto(f"{long_names}/runs?status=failed")
    run = await page.locator("tbody th a").first.get_attribute("href")
    assert test is not None
    assert run is not None
    wrong: list[str] = []
    for address in (f"{long_names}?verdict=any", f"{long_names}/runs", f"{long_names}/uploads", run, test,
                    f"{long_names}/settings/keys", f"{long_names}/settings", "/?all", "/orgs/acme"):  # fmt: skip
        await page.goto(address)
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 844})
            wider = await page.evaluate(TOO_WIDE)
            wrong += [f"{page.url} at {width}: {wider} px too wide"] * (wider > 0)
            wrong += [f"{page.url} at {width}: a table does not fit"] * await page.evaluate(CUT_OFF)
    assert not wrong, "\n".join(wrong)
