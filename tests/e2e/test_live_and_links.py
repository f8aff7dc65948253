"""What a page shows is in its address, and changes by itself when an upload is analysed."""

import json
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

REPORT = """<testsuite name="pytest" tests="1">
  <testcase classname="{name}" name="test_{name}" file="tests/{name}.py"/>
</testsuite>"""
FLAKY_CHECKOUT = {"test_merges_guest_cart", "test_webhook_is_idempotent", "test_three_d_secure_redirect"}


def query(page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


async def send(site, name: str, run: int, branch: str = "live") -> None:
    meta = {"sha": f"{run:040x}", "branch": branch, "job_name": "unit", "github_run_id": run}
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{site.url}/api/v1/ingest/junit",
            headers={"Authorization": f"Bearer {site.token}"},
            files=[("meta", (None, json.dumps(meta))), ("junit", ("junit.xml", REPORT.format(name=name), "text/xml"))],
        )
    assert answer.status_code == 202, answer.text


async def test_filters_sort_and_search_are_in_the_address(page, site) -> None:
    await page.goto(site.base)
    await page.get_by_label("Search tests").press_sequentially("checkout")
    await expect(page).to_have_url(f"{site.base}?q=checkout")
    await page.locator("#verdict-flaky").click()
    await expect(page.locator("#verdict-flaky")).to_have_attribute("aria-current", "true")
    await page.get_by_role("link", name="Failures").click()
    await expect(page.get_by_role("columnheader", name="Failures")).to_have_attribute("aria-sort", "descending")
    assert query(page) == {"q": ["checkout"], "verdict": ["flaky"], "sort": ["failures"], "dir": ["desc"]}
    names = await page.locator("tbody .test-name a").all_inner_texts()
    assert names
    assert set(names) <= FLAKY_CHECKOUT
    await page.reload()
    assert await page.locator("tbody .test-name a").all_inner_texts() == names
    await expect(page.get_by_label("Search tests")).to_have_value("checkout")
    await page.go_back()
    await expect(page.get_by_role("columnheader", name="Failures")).not_to_have_attribute("aria-sort", "descending")
    await page.get_by_role("link", name="Clear").click()
    assert "q" not in query(page)


async def test_branch_filter_shows_what_failed_there(page, site) -> None:
    await page.goto(site.base)
    await page.get_by_label("Failed on branch").select_option("feature/gift-cards")
    await expect(page).to_have_url(f"{site.base}?branch=feature%2Fgift-cards")
    await expect(page.get_by_role("heading", name="Runs hit by a flake on feature/gift-cards")).to_be_visible()
    await page.goto(f"{site.base}?branch=never-seen")
    await expect(page.get_by_text("No test fits these filters")).to_be_visible()
    await expect(page.get_by_label("Failed on branch")).to_have_value("never-seen")


async def test_runs_are_filtered_by_commit_and_status(page, site) -> None:
    await page.goto(f"{site.base}/runs")
    await page.get_by_label("Status").select_option("outage")
    await expect(page.locator("table.cards tbody tr")).to_have_count(1)
    sha = await page.locator("tbody th a").inner_text()
    await page.goto(f"{site.base}/runs?sha={sha}")
    await expect(page.locator("table.cards tbody tr")).to_have_count(1)


async def test_page_changes_by_itself_and_keeps_focus(page, site) -> None:
    await page.goto(f"{site.base}?verdict=unproven")
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
    search = page.get_by_label("Search tests")
    await search.press_sequentially("brand_new")
    await expect(page.get_by_text("No test fits these filters")).to_be_visible()
    await send(site, "brand_new_case", 9001)
    await expect(page.locator("table.cards tbody tr")).to_have_count(1)
    await expect(search).to_be_focused()
    await expect(search).to_have_value("brand_new")


async def test_uploads_arrive_by_themselves(page, site) -> None:
    await page.goto(f"{site.base}/uploads")
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
    await send(site, "another_case", 9002)
    first = page.locator("details.upload").first
    await expect(first).to_contain_text("live")
    await expect(first).to_contain_text("Analysed")


async def test_a_list_of_projects_changes_by_itself(page, site) -> None:
    for place in ("/?all", "/orgs/acme"):
        await page.goto(site.url + place)
        await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
    row = page.locator(f"#project-{site.project_id}")
    await expect(row).not_to_contain_text("00000000")
    await page.get_by_role("link", name="Web shop", exact=True).focus()
    await send(site, "on_the_default_branch", 9003, "main")
    await expect(row).to_contain_text("00000000")
    await expect(page.get_by_role("link", name="Web shop", exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(site.base)


async def test_run_page_answers_whose_failure_it_is(page, site) -> None:
    await page.goto(f"{site.base}/runs/{site.seeded.pull_request_run}")
    await expect(page.locator("#answer")).to_contain_text("1 of 5 failures looks like your change")
    first = page.locator("details.failure").first
    await expect(first).to_contain_text("test_totals_in_three_currencies")
    await expect(first).to_contain_text("Yours")
    here = f"/projects/{site.project_id}/runs/{site.seeded.pull_request_run}"
    await expect(first.locator("a.attempt").first).to_have_attribute("href", here)
    answers = await page.locator("details.failure > summary .badge").all_inner_texts()
    assert sorted(answers) == ["Known flake", "Known flake", "Main is broken", "Main is broken", "Yours"]


async def test_test_page_shows_contradictions_without_escape_codes(page, site) -> None:
    await page.goto(site.test_page("never_oversells[8 workers]"))
    await expect(page.locator(".contrast").first).to_contain_text("assert -1 >= 0")
    assert "\x1b" not in await page.content()
    assert "[31m" not in await page.content()
    cells = page.locator("#strip a")
    assert await cells.count() > 20
    assert "/runs/" in (await cells.first.get_attribute("href") or "")


async def test_copy_button_copies(open_context, site) -> None:
    context = await open_context()
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    page = await context.new_page()
    await page.goto(f"{site.base}/setup")
    await page.get_by_role("button", name="Copy the text for GitHub Actions").click()
    await expect(page.locator("#announce")).to_have_text("Copied")
    assert "FLAKEGUARD_API_KEY" in await page.evaluate("navigator.clipboard.readText()")
