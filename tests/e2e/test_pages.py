"""Every page in both themes and widths: no console errors, no horizontal overflow, nothing inaccessible."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"

PAGES = (
    "", "?q=nothing+is+called+so", "/runs", "/runs/{run}", "/runs/{outage}", "/flakes/{flaky}",
    "/flakes/{broken}", "/quarantine", "/uploads", "/setup", "/settings", "/settings/keys",
)  # fmt: skip
ELSEWHERE = (
    "/?all", "/account", "/orgs/new", "/orgs/acme", "/orgs/acme/members", "/orgs/acme/audit", "/orgs/acme/settings",
    "/orgs/acme/projects/new", "/orgs/acme/github", "/github/setup?installation_id=1", "/github/setup",
)  # fmt: skip


def addresses(site) -> list[str]:
    tests = site.seeded.tests
    names = {
        "run": site.seeded.pull_request_run,
        "outage": site.seeded.outage_run,
        "flaky": tests["never_oversells[8 workers]"],
        "broken": tests["weight_limits"],
    }
    empty = f"{site.url}/projects/{site.project_id + 1}"
    return (
        [site.base + path.format(**names) for path in PAGES]
        + [site.url + path for path in ELSEWHERE]
        + [empty, f"{empty}/quarantine"]
    )


async def violations(page: Page, *, contrast_only: bool = False) -> list[str]:
    """What axe finds serious or critical. Colours are all that a theme changes."""
    # By the debugger's door: our own policy forbids scripts that are not ours, and that must stay so.
    if not await page.evaluate("Boolean(window.axe)"):
        await page.evaluate(AXE.read_text("utf-8"))
    options = {"resultTypes": ["violations"], "iframes": False, "preload": False} | (
        {"runOnly": ["color-contrast"]} if contrast_only else {}
    )
    found = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{page.url}: {item['id']} ({item['impact']}): {node['html'][:160]} {node['failureSummary'][:200]}"
        for item in found["violations"]
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"][:3]
    ]


async def too_wide(page: Page) -> list[str]:
    """What is still wider once charts, which are drawn anew after the window changed, have had the time for it."""
    for _ in range(50):
        wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wider <= 0:
            return []
        await page.wait_for_timeout(50)
    return [f"{page.url} is {wider} px wider than the screen"]


COVERED = """
() => [...document.querySelectorAll(".snippet")].filter(snippet => snippet.checkVisibility()).flatMap(snippet => {
  const text = document.createRange()
  text.selectNodeContents(snippet.querySelector("pre"))
  const button = snippet.querySelector(".copy").getBoundingClientRect()
  const beside = rect => rect.right <= button.left || rect.left >= button.right
  if (getComputedStyle(snippet.querySelector(".copy")).position !== "absolute") return []
  const meets = rect => !beside(rect) && rect.bottom > button.top && rect.top < button.bottom
  return [...text.getClientRects()].some(meets) ? [snippet.querySelector("pre").textContent] : []
})
"""


async def covered(page: Page) -> list[str]:
    return [f"{page.url}: the button lies on the text {text!r}" for text in await page.evaluate(COVERED)]


TORN = """
() => [...document.querySelectorAll(".inline-form")].filter(form => form.checkVisibility()).flatMap(form => {
  const fields = [...form.querySelectorAll("input:not([type=hidden]), select")], button = form.querySelector("button")
  const below = button.getBoundingClientRect().top >= fields.at(-1).getBoundingClientRect().bottom
  return below ? [button.getAttribute("aria-label") ?? button.textContent] : []
})
"""
CROWDED_TABS = """
() => [...document.querySelectorAll(".tabs ul")].filter(tabs =>
  tabs.scrollWidth > tabs.clientWidth || tabs.offsetHeight > 1.5 * tabs.firstElementChild.offsetHeight).length
"""


async def torn(page: Page) -> list[str]:
    """Buttons that fell below the field they belong to, and tabs that do not fit in one line."""
    below = [f"{page.url}: {button!r} is below its field" for button in await page.evaluate(TORN)]
    return below + [f"{page.url}: not all tabs fit"] * await page.evaluate(CROWDED_TABS)


async def test_every_page_is_accessible_and_fits(open_context, site) -> None:
    page = await (await open_context()).new_page()
    wrong: list[str] = []
    for address in addresses(site):
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": 1280, "height": 800})
        answer = await page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        wrong += await too_wide(page) + await violations(page) + await covered(page)
        await page.emulate_media(color_scheme="dark")
        wrong += await violations(page, contrast_only=True)
        await page.set_viewport_size({"width": 390, "height": 844})
        wrong += await too_wide(page) + await covered(page) + await torn(page)
    assert not wrong, "\n".join(wrong)


async def test_pages_for_strangers_are_accessible(open_context) -> None:
    page = await (await open_context(signed_in=False, width="phone")).new_page()
    for address in ("/signin", "/signup"):
        await page.goto(address)
        assert await violations(page) + await too_wide(page) == []
        await page.emulate_media(color_scheme="dark")
        assert await violations(page, contrast_only=True) == []


async def test_theme_is_kept(page, site) -> None:
    await page.goto(site.base)
    background = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(background)
    await page.get_by_role("button", name="Switch between light and dark").click()
    dark = await page.evaluate(background)
    assert dark != light
    await page.goto(f"{site.base}/runs")
    assert await page.evaluate(background) == dark


async def test_errors_are_pages(page, site, complaints) -> None:
    run = f"/projects/{site.project_id}/runs/99999999999"
    for path in ("/projects/999999", "/projects/99999999999999999999", run, "/nowhere"):
        answer = await page.goto(path)
        assert answer.status == 404
        await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
        await expect(page.get_by_role("link", name="Go to the dashboard")).to_be_visible()
    complaints.clear()  # the browser notes each 404


async def test_dialog_asks_before_a_key_is_revoked(page, site) -> None:
    await page.goto(f"{site.base}/settings/keys")
    await page.get_by_role("button", name="Create API key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Nightly")
    await dialog.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name="Your new key")).to_be_visible()
    await page.get_by_role("button", name="Revoke Nightly").click()
    await expect(page.get_by_role("dialog")).to_contain_text("refused at once")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.get_by_role("button", name="Revoke Nightly").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("The key is revoked")).to_be_visible()
    await expect(page).to_have_url(f"{site.base}/settings/keys")
    await page.reload()
    await expect(page.get_by_text("The key is revoked")).to_be_hidden()


async def test_the_times_of_a_history_stand_at_its_ends(page, site) -> None:
    await page.goto(f"{site.base}/flakes/{site.seeded.tests['weight_limits']}")
    cell, time = page.locator("#strip li").last, page.locator(".strip-frame > .row > span").last
    cell_box, time_box = await cell.bounding_box(), await time.bounding_box()
    assert abs((cell_box["x"] + cell_box["width"]) - (time_box["x"] + time_box["width"])) < 20
