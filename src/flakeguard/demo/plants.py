"""The planted tests: one for everything that FlakeGuard tells apart, with the verdict that its history is to earn."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from flakeguard.analysis.model import Verdict
from flakeguard.demo import stories, texts
from flakeguard.demo.model import Case, Job, Place, Plant, Push
from flakeguard.demo.pushes import BREAKS_BEFORE_NOW, OPEN_BRANCH, RELEASE_BRANCH
from flakeguard.reports.model import Outcome

type Names = Mapping[tuple[str, str], Case]
"""Cases by the last part of their class, and their name."""

_RENAMED_PUSHES_AGO = 20
_HEALED_PUSHES_AGO = 17
_NEW_MAIN_PUSHES = 2
_FAILED_ONCE = 13  # an odd push of main: those are not run again


@dataclass(frozen=True, slots=True)
class Scene:
    """What stories are told on: CI pushes (nightly runs apart), the clock, and what has been drawn."""

    random: Random
    now: datetime
    pushes: Sequence[Push]
    nights: Sequence[Push]
    cases: Names

    @property
    def main(self) -> list[Push]:
        """Pushes of the default branch."""
        return [push for push in self.pushes if push.on_main]

    @property
    def newest(self) -> Push:
        """The newest push: that of the open pull request."""
        return self.pushes[-1]

    def case(self, owner: str, name: str) -> Case:
        """A test of the catalogue."""
        return self.cases[owner, name]


def planted(scene: Scene) -> tuple[Plant, ...]:
    """Every planted test."""
    return (*_flaky(scene), *_broken_and_healed(scene), *_unproven(scene), *_of_the_pull_request(scene))


def rerun_pushes(plants: Sequence[Plant], scene: Scene) -> frozenset[int]:
    """Pushes that somebody ran again because of the flaky test that has no retries."""
    story = next(plant for plant in plants if plant.key == "flaky-rerun").story
    return frozenset(
        push.number
        for push in scene.pushes[:-1]
        if story(Place(push, Job.LINUX, 1, push.at, Random(0)))  # noqa: S311 -- a story
    )


def _flaky(scene: Scene) -> Iterator[Plant]:
    random, pushes = scene.random, scene.pushes
    newest = (scene.newest.number, Job.LINUX)
    webhook = scene.case("TestPaymentWebhook", "test_webhook_marks_order_as_paid")
    hits = {(number, Job.LINUX) for number in stories.spread(random, pushes, 7)} | {newest}
    hits |= {(number, Job.WINDOWS) for number in stories.spread(random, pushes[:-6], 3)}
    story = stories.flaky(webhook, texts.webhook_late, hits)
    yield Plant("flaky-retry", webhook, story, Verdict.FLAKY, "fails now and then and passes when pytest repeats it")

    reservation = scene.case("TestReservation", "test_two_customers_reserve_the_last_item")
    hits = {(number, job) for job in (Job.LINUX, Job.WINDOWS) for number in stories.spread(random, pushes, 13)}
    story = stories.flaky(reservation, texts.deadlock, hits, outcome=Outcome.ERROR, unlucky=0.4)
    yield Plant("flaky-often", reservation, story, Verdict.FLAKY, "a deadlock in every fourth run, on both systems")

    search = scene.case("SearchBox", "shows suggestions while typing")
    hits = {(number, Job.LINUX) for number in stories.spread(random, scene.main[2:-1:2], 5)} | {newest}
    story = stories.flaky(search, texts.late_suggestion, hits)
    yield Plant("flaky-rerun", search, story, Verdict.FLAKY, "no retries: proven by people who ran the job again")

    refund = scene.case("RefundServiceTest", "refundIsIdempotent")
    hits = {(number, Job.LINUX) for number in stories.spread(random, pushes[:-1], 6)}
    story = stories.flaky(refund, texts.idempotency, hits)
    yield Plant("flaky-surefire", refund, story, Verdict.FLAKY, "written by Surefire as flakyFailure")

    card = scene.case("checkout", "pays with a saved card")
    nightly = {(number, Job.FIREFOX) for number in stories.spread(random, scene.nights, 5)}
    story = stories.flaky(card, texts.card_frame, nightly)
    yield Plant(
        "flaky-variant", card, story, Verdict.FLAKY, "flaky in Firefox, stable in Chromium", Job.FIREFOX.variant
    )

    currency = scene.case("CurrencySwitcher", "keeps the basket")
    isolated = {(number, Job.LINUX) for number in stories.spread(random, scene.main[1:-4:2], 5)}
    story = stories.flaky(currency, texts.lost_basket, isolated)
    yield Plant("suspected", currency, story, Verdict.SUSPECTED, "fails alone between passes; nobody ever ran it again")


def _broken_and_healed(scene: Scene) -> Iterator[Plant]:
    broken_since = scene.now - BREAKS_BEFORE_NOW
    vat = scene.case("TestVat", "test_reduced_rate_for_books")
    failure = texts.assertion(vat, "assert Decimal('0.19') == Decimal('0.07')", "assert rate(book) == Decimal('0.07')")
    story = stories.broken(vat, failure, lambda place: place.push.at >= broken_since)
    yield Plant("broken", vat, story, Verdict.BROKEN, "main is broken since yesterday, and every branch with it")

    resize = scene.case("ImageResizeTest", "resizesLargeImages")
    before = scene.pushes[:-_HEALED_PUSHES_AGO]
    hits = {(number, Job.LINUX) for number in stories.spread(scene.random, before, 8)}
    story = stories.flaky(resize, texts.slow_resize, hits)
    yield Plant("recovering", resize, story, Verdict.RECOVERING, "was flaky until some days ago, passes since")

    discount = scene.case("TestDiscounts", "test_discount_is_rounded_down")
    first, fix = scene.main[9].at, scene.main[12].at
    failure = texts.assertion(discount, "assert Decimal('9.99') == Decimal('9.98')", "assert total == Decimal('9.98')")
    story = stories.broken(
        discount, failure, lambda place: first <= place.push.at < fix and place.push.branch != RELEASE_BRANCH
    )
    yield Plant("fixed", discount, story, Verdict.STABLE, "a regression that was fixed: never a flake")

    export = scene.case("TestInvoicePdf", "test_path_of_export_is_stable")
    failure = texts.assertion(
        export, "assert 'invoices\\\\2024\\\\1.pdf' == 'invoices/2024/1.pdf'", "assert path == 'invoices/2024/1.pdf'"
    )
    story = stories.broken(export, failure, lambda place: place.job is Job.WINDOWS)
    yield Plant("difference", export, story, Verdict.STABLE, "fails on Windows only: a difference, no flake")

    yield from _regressions_on_branches(scene)


def _regressions_on_branches(scene: Scene) -> Iterator[Plant]:
    facets = scene.case("TestSearch", "test_facets_count_results")
    second = [push for push in scene.pushes if push.branch == "feature/search-facets"][1].number
    failure = texts.assertion(facets, "assert {'red': 3} == {'red': 4}", "assert page.facets['colour'] == {'red': 4}")
    story = stories.broken(facets, failure, lambda place: place.push.number == second)
    yield Plant("branch-regression", facets, story, Verdict.STABLE, "broken on a branch, fixed with its next push")

    mails = scene.case("MailQueueTest", "retriesOnGreylisting")
    upgrade = next(push.number for push in scene.pushes if push.branch == "chore/upgrade-spring")
    failure = texts.assertion(mails, "expected: <RETRY> but was: <BOUNCE>", "assertEquals(RETRY, queue.handle(reply));")
    story = stories.broken(mails, failure, lambda place: place.push.number == upgrade)
    yield Plant("upgrade", mails, story, Verdict.STABLE, "broken by an upgrade on its branch, fixed before the merge")


def _unproven(scene: Scene) -> Iterator[Plant]:
    legacy = scene.case("TestShippingRates", "test_legacy_carrier")
    story = stories.skipped("the carrier's sandbox is switched off")
    yield Plant("skipped", legacy, story, Verdict.UNPROVEN, "always skipped: a skip is no pass")

    utf16 = scene.case("TestCatalogueImport", "test_utf16_file")
    story = stories.skipped("needs iconv", lambda place: place.job is Job.WINDOWS)
    yield Plant("skipped-on-windows", utf16, story, Verdict.STABLE, "skipped on Windows, stable on Linux")

    alerts = scene.case("Wishlist", "offers price alerts")
    since = scene.main[-_NEW_MAIN_PUSHES].at
    story = stories.exists(lambda place: place.push.at >= since)
    yield Plant("new", alerts, story, Verdict.UNPROVEN, "new: too few runs to judge")

    renamed_at = scene.pushes[-_RENAMED_PUSHES_AGO].at
    old = scene.case("TestCart", "test_merge_carts_on_sign_in")
    story = stories.exists(lambda place: place.push.at < renamed_at)
    yield Plant("renamed-from", old, story, Verdict.STABLE, "renamed: not seen for days")
    new = replace(old, name="test_guest_cart_is_merged_on_sign_in")
    story = stories.exists(lambda place: place.push.at >= renamed_at)
    yield Plant("renamed-to", new, story, Verdict.STABLE, "its new name, with a history of its own")


def _of_the_pull_request(scene: Scene) -> Iterator[Plant]:
    newest = scene.newest.number
    address = scene.case("TestCheckout", "test_guest_needs_an_address")
    failure = texts.assertion(
        address, "DID NOT RAISE <class 'shop.checkout.AddressMissing'>", "with pytest.raises(AddressMissing):"
    )._replace(kind="Failed")
    story = stories.broken(address, failure, lambda place: place.push.number == newest)
    yield Plant("yours", address, story, Verdict.STABLE, f"fails on {OPEN_BRANCH} only, on every attempt: yours")

    badge = scene.case("MiniCart", "animates the badge")
    once = scene.main[_FAILED_ONCE].number
    story = stories.flaky(badge, texts.badge, {(once, Job.LINUX), (newest, Job.LINUX)})
    yield Plant("cannot-tell", badge, story, Verdict.STABLE, "failed once before: too little to tell")
