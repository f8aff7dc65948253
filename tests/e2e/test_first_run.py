"""Somebody new: account, organization, project, key, first upload, first verdict; with the keyboard alone too."""

import json

import httpx
import pytest
from playwright.async_api import Page, expect

pytestmark = pytest.mark.browser

REPORT = """<testsuite name="shop" tests="2">
  <testcase classname="TestCart" name="adds" file="tests/test_cart.py" time="0.1"/>
  <testcase classname="TestCart" name="pays" file="tests/test_cart.py" time="0.2">
    <failure message="assert 1 == 2">at line 3</failure>
  </testcase>
</testsuite>"""


async def upload(url: str, token: str) -> None:
    meta = {
        "sha": "a" * 40,
        "branch": "main",
        "job_name": "unit",
        "github_run_id": 1,
        "repo_full_name": "hopper/compiler",
    }
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{url}/api/v1/ingest/junit",
            headers={"Authorization": f"Bearer {token}"},
            files=[
                ("meta", (None, json.dumps(meta), "application/json")),
                ("junit", ("junit.xml", REPORT, "text/xml")),
            ],
        )
    assert answer.status_code == 202, answer.text


async def test_wizard_leads_to_the_first_verdict(open_context, site) -> None:
    context = await open_context(signed_in=False)
    page = await context.new_page()
    await page.goto("/signup")
    await page.get_by_label("E-mail").fill("grace@example.com")
    await page.get_by_label("Password").fill("a long enough password")
    await page.get_by_role("button", name="Make my account").click()
    await page.get_by_label("Name").fill("Hopper Ltd")
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_label("Name").fill("Compiler")
    await page.get_by_role("button", name="Make the project").click()
    await expect(page.get_by_role("heading", name="Connect your CI")).to_be_visible()
    await expect(page.get_by_text("Waiting for the first upload")).to_be_visible()

    await page.get_by_role("button", name="Create API key").click()
    token = await page.locator("#api-key").inner_text()
    assert token.startswith("fg_")
    await page.get_by_role("tab", name="GitLab CI").click()
    await expect(page.locator("#ci-gitlab-text")).to_contain_text("--project compiler")

    await upload(site.url, token)
    await page.get_by_role("link", name="See the run").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Is it my change?")
    await expect(page.locator("#answer")).to_contain_text("failure")
    await expect(page.get_by_text("assert 1 == 2")).to_be_visible()
    await page.reload()
    assert token not in await page.content()


NAME = "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim())"


async def press_until_focused(page: Page, name: str) -> None:
    for _ in range(40):
        await page.keyboard.press("Tab")
        focused = await page.evaluate("document.activeElement.matches('a, button') ? NAME : ''".replace("NAME", NAME))
        if name in focused:
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"{name} cannot be reached by the keyboard")


async def test_keyboard_alone_reaches_the_evidence(page, site) -> None:
    await page.goto(site.base)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # the skip link
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.keyboard.press("/")
    await page.keyboard.type("oversells")
    await expect(page.locator("table.cards tbody tr")).to_have_count(1)
    await press_until_focused(page, "test_never_oversells")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("test_never_oversells")
    await press_until_focused(page, ", then passed")  # a cell of the history strip
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Is it my change?")


async def test_tabs_follow_the_arrow_keys(page, site) -> None:
    await page.goto(f"{site.base}/setup")
    await page.get_by_role("tab", name="GitHub Actions").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="GitLab CI")).to_be_focused()
    await expect(page.locator("#ci-gitlab")).to_be_visible()
    await expect(page.locator("#ci-github")).to_be_hidden()
    await page.keyboard.press("End")
    await expect(page.locator("#ci-curl")).to_be_visible()


async def test_sign_in_refuses_and_returns(open_context, site, complaints) -> None:
    page = await (await open_context(signed_in=False)).new_page()
    await page.goto(f"{site.base}/runs?status=failed")
    await page.get_by_label("E-mail").fill("ada@example.com")
    await page.get_by_label("Password").fill("not her password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    complaints.clear()  # the browser notes the 401
    await page.get_by_label("Password").fill("correct horse battery")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(f"{site.base}/runs?status=failed")
