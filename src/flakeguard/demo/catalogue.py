"""The web shop's tests: three suites and a nightly one in the browser."""

from collections.abc import Iterator
from random import Random

from flakeguard.demo.model import Case, Suite

_BACKEND = {
    ("tests/cart/test_cart.py", "TestCart"): "add_item remove_item change_quantity merge_carts_on_sign_in "
    "keeps_cart_for_thirty_days empty_cart_has_no_total out_of_stock_item_is_flagged",
    ("tests/cart/test_pricing.py", "TestDiscounts"): "percentage_discount fixed_discount discount_is_rounded_down "
    "best_discount_wins expired_coupon_is_refused coupon_only_once",
    ("tests/checkout/test_checkout.py", "TestCheckout"): "places_an_order guest_needs_an_address "
    "order_number_is_unique confirmation_mail_is_queued shipping_is_free_above_limit double_submit_is_one_order",
    ("tests/checkout/test_webhooks.py", "TestPaymentWebhook"): "webhook_marks_order_as_paid "
    "unknown_order_is_ignored bad_signature_is_refused webhook_is_idempotent",
    ("tests/inventory/test_reservation.py", "TestReservation"): "reserves_stock releases_after_timeout "
    "two_customers_reserve_the_last_item no_negative_stock reserves_across_warehouses",
    ("tests/inventory/test_import.py", "TestCatalogueImport"): "full_catalogue_import rejects_unknown_columns "
    "keeps_prices_of_missing_rows import_is_resumable utf16_file",
    ("tests/search/test_search.py", "TestSearch"): "finds_by_name finds_by_sku ranks_exact_match_first "
    "facets_count_results synonyms typo_tolerance",
    ("tests/tax/test_vat.py", "TestVat"): "standard_rate reduced_rate_for_books reverse_charge "
    "rate_by_delivery_country",
    ("tests/invoice/test_invoice.py", "TestInvoicePdf"): "has_all_lines path_of_export_is_stable numbers_have_no_gaps "
    "credit_note_refers_to_invoice",
    ("tests/accounts/test_session.py", "TestSession"): "sign_in sign_out expires_after_a_day remembers_device "
    "locks_after_ten_failures",
    ("tests/accounts/test_privacy.py", "TestPrivacy"): "export_has_everything delete_removes_addresses "
    "mail_is_masked_in_logs",
    ("tests/shipping/test_rates.py", "TestShippingRates"): "by_weight by_volume islands_cost_more "
    "express_is_next_day legacy_carrier pickup_point",
}
_FRONTEND = {
    ("src/search/SearchBox.test.tsx", "SearchBox"): "shows suggestions while typing|clears on escape|"
    "submits on enter|keeps the last query|announces results to screen readers",
    ("src/cart/MiniCart.test.tsx", "MiniCart"): "shows the number of items|animates the badge|opens the drawer|"
    "closes on outside click|formats the total",
    ("src/i18n/CurrencySwitcher.test.tsx", "CurrencySwitcher"): "keeps the basket|remembers the choice|"
    "lists enabled currencies|formats yen without decimals",
    ("src/checkout/AddressForm.test.tsx", "AddressForm"): "validates the postcode|fills from autocomplete|"
    "marks missing fields|keeps input on error|switches country layout",
    ("src/product/Gallery.test.tsx", "Gallery"): "loads the next image|zooms on hover|swipes|has alt texts",
    ("src/product/Reviews.test.tsx", "Reviews"): "sorts by date|hides reported reviews|paginates|renders stars",
    ("src/wishlist/Wishlist.test.tsx", "Wishlist"): "adds a product|shares by link|moves to cart|offers price alerts",
    ("src/account/Orders.test.tsx", "Orders"): "lists orders|filters by year|downloads the invoice|shows tracking",
}
_PAYMENTS = {
    "com.example.shop.payments.RefundServiceTest": "refundsInFull refundsInPart refundIsIdempotent "
    "refusesAfterHundredDays writesLedgerEntry",
    "com.example.shop.payments.CardVaultTest": "storesToken neverStoresNumber expiresTokens rotatesKeys",
    "com.example.shop.payments.LedgerTest": "balances closesTheDay rejectsUnbalancedEntries roundsHalfEven "
    "exportsForAccounting",
    "com.example.shop.payments.FraudRulesTest": "blocksKnownCards scoresVelocity allowsReturningCustomers "
    "asksForSecondFactor",
    "com.example.shop.media.ImageResizeTest": "resizesLargeImages keepsAspectRatio rejectsBrokenFiles writesWebp",
    "com.example.shop.messaging.MailQueueTest": "sendsInOrder retriesOnGreylisting dropsBounces throttlesPerDomain",
    "com.example.shop.messaging.EventBusTest": "deliversOnce survivesRestart ordersByKey",
}
_E2E = {
    ("e2e/checkout.spec.ts", "checkout"): "buys as a guest|pays with a saved card|redeems a gift card|"
    "chooses a pickup point",
    ("e2e/catalogue.spec.ts", "catalogue"): "filters by size|sorts by price|opens a product|goes back to the list",
    ("e2e/account.spec.ts", "account"): "registers|resets the password|changes the address|deletes the account",
}
_TYPICAL_SECONDS = {Suite.BACKEND: 0.09, Suite.FRONTEND: 0.04, Suite.PAYMENTS: 0.06, Suite.E2E: 4.0}
_SPREAD = 0.8


def catalogue() -> tuple[Case, ...]:
    """Every test, in the order in which the frameworks run them."""
    return (*_backend(), *_frontend(Suite.FRONTEND, _FRONTEND), *_payments(), *_frontend(Suite.E2E, _E2E))


def _backend() -> Iterator[Case]:
    for (file, class_name), names in _BACKEND.items():
        module = file.removesuffix(".py").replace("/", ".")
        for name in names.split():
            yield _case(Suite.BACKEND, file, f"{module}.{class_name}", f"test_{name}")


def _frontend(suite: Suite, groups: dict[tuple[str, str], str]) -> Iterator[Case]:
    for (file, component), names in groups.items():
        for name in names.split("|"):
            yield _case(suite, file, component, name)


def _payments() -> Iterator[Case]:
    for class_name, names in _PAYMENTS.items():
        for name in names.split():
            yield _case(Suite.PAYMENTS, None, class_name, name)


def _case(suite: Suite, file: str | None, class_name: str, name: str) -> Case:
    # How long a test takes is the test's own: it does not change with the seed.
    seconds = _TYPICAL_SECONDS[suite] * Random(f"{class_name}.{name}").lognormvariate(0, _SPREAD)  # noqa: S311 -- a story
    return Case(suite, file, class_name, name, round(seconds, 4))
