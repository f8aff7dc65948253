"""Pages in a browser without JavaScript: they show everything, and every button does something."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
async def plain(browser: Browser, site) -> AsyncIterator[Page]:
    context = await browser.new_context(java_script_enabled=False, base_url=site.url)
    await context.add_cookies([{"name": "fluxbase_session", "value": site.session, "url": site.url}])
    yield await context.new_page()
    await context.close()


async def test_a_key_is_made_and_revoked(plain, site) -> None:
    await plain.goto(f"{site.base}/settings/keys")
    await plain.get_by_label("Name").fill("Without scripts")
    await plain.get_by_role("button", name="Create", exact=True).click()
    await expect(plain.get_by_role("heading", name="Your new key")).to_be_visible()
    dialog = plain.get_by_role("dialog", name="Revoke Without scripts?")
    await dialog.get_by_role("button", name="Revoke").click()
    await expect(plain.get_by_text("The key is revoked")).to_be_visible()


async def test_filters_pages_and_texts_for_every_ci_are_there(plain, site) -> None:
    await plain.goto(f"{site.base}/runs")
    await plain.get_by_label("Status").select_option("outage")
    await plain.get_by_role("button", name="Apply").click()
    await expect(plain.locator("table.cards tbody tr")).to_have_count(1)
    await plain.goto(f"{site.base}/setup")
    for title in ("GitHub Actions", "GitLab CI", "curl"):
        await expect(plain.get_by_role("heading", name=title)).to_be_visible()
    await expect(plain.locator("#ci-curl-text")).to_contain_text("--fail-with-body")


async def test_what_only_a_script_would_do_is_not_offered(plain, site) -> None:
    for address in (site.base, f"{site.base}/setup", "/account", "/orgs/acme/members"):
        await plain.goto(address)
        for dead in ("[data-dialog]", "[data-close]", "[data-copy]", "[data-theme-toggle]", "[data-chart]"):
            assert await plain.locator(dead).filter(visible=True).count() == 0, (address, dead)
