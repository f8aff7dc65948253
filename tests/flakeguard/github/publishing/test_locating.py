"""Where a failure happened, as frameworks tell it; and never a path that is not the repository's."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakeguard.github.publishing.locating import Location, locate
from flakeguard.reports.junit import parse_junit

SHARED = Path(__file__).parents[5] / "shared" / "data" / "junit"


def place(details: str, file: str | None = None, class_name: str = "", repository: str = "acme/shop"):
    found = locate(repository=repository, file=file, class_name=class_name, message=None, details=details)
    return found and f"{found.path}:{found.line}"


@pytest.mark.parametrize(
    ("details", "wanted"),
    [
        ("E  assert\n\npython/test_sample.py:10: AssertionError", "python/test_sample.py:10"),
        ('File "/home/runner/work/shop/shop/shop/cart.py", line 7, in add', "shop/cart.py:7"),
        ("tests/a.py:3: in test\nshop/b.py:9: in call\nshop/c.py:4: Error", "shop/c.py:4"),
        ("at o.<anonymous> (packages/cart/test/cart-test.js:15:29)", "packages/cart/test/cart-test.js:15"),
        ("at file:///home/runner/work/shop/shop/src/cart.ts:3:1", "src/cart.ts:3"),
        ("thread 'x' panicked at tests/parry3d.rs:154:5:", "tests/parry3d.rs:154"),
        ("at /__w/shop/shop/test/unit/cart.cpp:19", "test/unit/cart.cpp:19"),
        (r"in D:\a\shop\shop\tests\CartTests.cs:line 12", "tests/CartTests.cs:12"),
        ("# ./spec/cart_spec.rb:8:in `block'", "spec/cart_spec.rb:8"),
        ("File: tests/a.cpp\nLine: 77", "tests/a.cpp:77"),
        ("/github/workspace/tests/CartTest.php:21", "tests/CartTest.php:21"),
        ("src/cart.spec.ts(12,5): error", "src/cart.spec.ts:12"),
    ],
)
def test_frameworks_tell_places(details, wanted):
    assert place(details) == wanted


@pytest.mark.parametrize(
    "details",
    [
        "at java.lang.Thread.run(Thread.java:750)",  # a name alone may lie anywhere
        "at io.olamy.AlwaysFailTest.testApp(AlwaysFailTest.java:23)",
        "/usr/lib/python3.12/unittest/case.py:58",
        "/etc/passwd.txt:1",
        "../other/secret.py:3",
        "tests/../../other/x.py:3",
        "/home/runner/work/shop/shop/../../x.py:3",
        "/home/runner/work/other/other/x/y.py:3",
        "~/x/y.py:3",
        ".venv/lib/python3.12/site-packages/pytest/x.py:3",
        "node_modules/mocha/lib/runner.js:10",
        "/home/runner/work/shop/shop/node_modules/jest/a.js:1",
        "https://example.com/static/app.js:10:5",
        "node:internal/process/task.js:95:5",
        "tests/a.py:0: x",
        "tests/a.py:9999999: x",
        "connect to db/host.internal:5432" + "1" * 9,
        "..py/..:3",
    ],
)
def test_what_is_not_certainly_of_the_repository_is_no_place(details):
    assert place(details) is None


def test_the_tests_own_file_comes_first_and_completes_a_name_alone():
    assert place("src/a.ts:1\ntests/cart.test.ts:9", "tests/cart.test.ts") == "tests/cart.test.ts:9"
    assert place("at x (AlwaysFailTest.java:23)", "src/test/java/io/AlwaysFailTest.java") == (
        "src/test/java/io/AlwaysFailTest.java:23"
    )
    assert place("/build/xyz/tests/cart.py:12: Error", "tests/cart.py") == "tests/cart.py:12"
    assert place("/elsewhere/notes.py:12", "tests/cart.py") is None


def test_go_names_the_file_and_the_report_its_package():
    package = "github.com/acme/shop/internal/cart"
    assert place("    cart_test.go:23: got 2", class_name=package) == "internal/cart/cart_test.go:23"
    assert place("    cart_test.go:23: got 2", class_name="github.com/other/shop/internal/cart") is None
    assert place("    cart_test.go:23: got 2", class_name="github.com/acme/shop/server/v8/api") is None


@given(st.text(max_size=200), st.integers(-5, 10**7))
def test_no_text_leads_outside(path, line):
    found = locate(
        repository="a/b", file=None, class_name="", message=f"{path}.py:{line}", details=f'File "{path}.py", line 3'
    )
    if found is not None:
        assert isinstance(found, Location)
        assert not found.path.startswith(("/", "~", "../"))
        assert ".." not in found.path.split("/")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared reports do not lie beside this checkout")
def test_places_in_real_reports():
    """Written down from reading the files."""
    wanted = {
        "mikepenz/catch2_report.xml": {("test/unit/detail/utility/is_constant_evaluated.cpp", 19)},
        "mikepenz/issues_testDisabled.xml": {("tests/failed/main.cpp", line) for line in (58, 97, 73, 49)},
        "mikepenz/nextest_basic.xml": {("tests/parry3d.rs", 154)},
        "mikepenz/python_report.xml": {("python/test_sample.py", 10), ("python/test_sample.py", 14)},
        "mikepenz/junit-web-test_expected.xml": {
            ("packages/test-runner-junit-reporter/test/fixtures/multiple/simple-test.js", 15)
        },
        "mikepenz/multiple_failures_test_multiple_errors.xml": {("src/test.ts", 101), ("src/assertion.ts", 55)},
        "mikepenz/tests_email_target_surefire-reports_TEST-action.surefire.report.email.EmailAddressTest.xml": set(),
        "mikepenz/cunit_testFailure.xml": set(),
        "jenkins/TEST-io.olamy.AlwaysFailTest.xml": set(),
    }
    for name, places in wanted.items():
        with (SHARED / name).open("rb") as report:
            found = [
                locate(
                    repository="example/futures", file=attempt.file, class_name=attempt.class_name,
                    message=attempt.message, details=attempt.details,
                )
                for attempt in parse_junit(report)
                if attempt.outcome.is_bad
            ]  # fmt: skip
        assert {(one.path, one.line) for one in found if one is not None} == places, name
