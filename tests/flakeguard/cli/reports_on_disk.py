"""Folders of reports, built on the fly."""

from pathlib import Path

PASS, FAIL, SKIP = "pass", "fail", "skip"
_INNER = {
    PASS: "",
    FAIL: '<failure message="expected 3, got 4&#10;second line" type="AssertionError">stack</failure>',
    SKIP: "<skipped/>",
}


def write_run(folder: Path, tests: dict[str, str], *, timestamp=None, properties=None, seconds=0.1, name="junit.xml"):
    """Write a report; `tests` maps a test's name to what it does (`pass fail` is a retry)."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = "".join(
        f'<testcase classname="shop.Cart" name="{test}" time="{seconds}">{_INNER[outcome]}</testcase>'
        for test, outcomes in tests.items()
        for outcome in outcomes.split()
    )
    stamp = f' timestamp="{timestamp}"' if timestamp else ""
    told = "".join(f'<property name="{key}" value="{value}"/>' for key, value in (properties or {}).items())
    content = f'<testsuite name="unit"{stamp}><properties>{told}</properties>{cases}</testsuite>'
    (folder / name).write_text(content)
