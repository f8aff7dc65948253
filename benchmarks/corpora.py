"""The reports that parsing is measured on, written to a folder once and used again."""

import random
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

CASES_PER_100_MB = 205_000
CASES_IN_A_SUITE = 500
CASE_CHARACTERS = 158  # of a passing case's line, with a name and a class as they are found in the wild
FAILURE_CHARACTERS = 225  # of a failing case beside its line and its stack
WORDS = ["cart", "order", "stock", "refund", "price", "coupon", "login", "search", "mail", "export"]


def failing_with_stacks(megabytes: float) -> Iterator[str]:
    """205,000 cases in 100 MB; every tenth failed with a Java stack, every second stack in CDATA."""
    dice = random.Random(1)
    cases = int(CASES_PER_100_MB * megabytes / 100)
    methods = ["<init>", *(f"{verb}{word.title()}" for verb in ("apply", "check") for word in WORDS)]
    frames = [
        f"\tat com.example.{dice.choice(WORDS)}.{dice.choice(WORDS).title()}Service.{dice.choice(methods)}"
        f"({dice.choice(WORDS).title()}Service.java:{dice.randint(1, 900)})\n"
        for _ in range(2_000)
    ]
    stack_characters = int((megabytes * 1e6 - cases * CASE_CHARACTERS) / (cases * 0.1)) - FAILURE_CHARACTERS
    for number in range(cases):
        if number % CASES_IN_A_SUITE == 0:
            yield _suite(number, closing=number > 0)
        opening = _opening(number, dice)
        if number % 10:
            yield f"{opening}/>\n"
            continue
        stack = _stack(frames, stack_characters, dice)
        body = f"<![CDATA[{stack}]]>" if number % 20 else escape(stack)
        yield (
            f'{opening}>\n    <failure message="expected: &lt;{number}&gt; but was: &lt;{number + 1}&gt;"'
            f' type="org.opentest4j.AssertionFailedError">{body}</failure>\n  </testcase>\n'
        )
    yield "</testsuite>\n"


def tiny_cases(megabytes: float) -> Iterator[str]:
    """Nothing but short passing cases."""
    dice = random.Random(2)
    written = number = 0
    while written < megabytes * 1e6:
        piece = _suite(number, closing=number > 0) if number % CASES_IN_A_SUITE == 0 else ""
        piece += (
            f'<testcase name="{dice.choice(WORDS)}_{number}" classname="t.T{number % 97}" time="0.{number % 10}"/>\n'
        )
        written += len(piece)
        number += 1
        yield piece
    yield "</testsuite>\n"


def long_outputs(megabytes: float) -> Iterator[str]:
    """Cases with 20 kB of output each, half of them in CDATA; one in ten failed."""
    dice = random.Random(3)
    lines = [
        f"2026-01-01 12:00:{second:02d} INFO [{dice.choice(WORDS)}] {dice.choice(WORDS)} took {dice.randint(1, 999)} ms"
        for second in range(60)
    ]
    cases = int(megabytes * 1e6 / 20_200)
    for number in range(cases):
        if number % CASES_IN_A_SUITE == 0:
            yield _suite(number, closing=number > 0)
        output = "\n".join(dice.choices(lines, k=370))
        failure = "" if number % 10 else '<failure message="no">at x</failure>'
        yield (
            f"{_opening(number, dice)}>{failure}<system-out>"
            + (f"<![CDATA[{output}]]>" if number % 2 else output)
            + "</system-out></testcase>\n"
        )
    yield "</testsuite>\n"


CORPORA = {
    "failing with stacks": failing_with_stacks,
    "many tiny cases": tiny_cases,
    "long system-out": long_outputs,
}


def write(name: str, megabytes: float, folder: Path) -> Path:
    """The corpus of that name and size in `folder`, written if it is not there."""
    path = folder / f"{name.replace(' ', '-')}-{megabytes:g}.xml"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("w", encoding="utf-8") as stream:
            stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n')
            stream.writelines(CORPORA[name](megabytes))
            stream.write("</testsuites>\n")
        unfinished.rename(path)
    return path


def _suite(number: int, *, closing: bool) -> str:
    opening = (
        f'<testsuite name="com.example.Suite{number // CASES_IN_A_SUITE}" tests="{CASES_IN_A_SUITE}" time="1.5">\n'
    )
    return f"</testsuite>\n{opening}" if closing else opening


def _opening(number: int, dice: random.Random) -> str:
    suite = number // CASES_IN_A_SUITE
    words = [dice.choice(WORDS) for _ in range(3)]
    name = f"{words[0]}ShouldSurvive{words[1].title()}When{words[2].title()}Expires[{number % 1000}: amount=3, EUR]"
    class_name = f"com.example.shop.{WORDS[suite % 10]}.{WORDS[suite % 10].title()}ServiceIntegrationTest{suite}"
    return f'  <testcase name="{name}" classname="{class_name}" time="{dice.random():.3f}"'


def _stack(frames: list[str], characters: int, dice: random.Random) -> str:
    lines = ["org.opentest4j.AssertionFailedError: expected: <1> but was: <2>\n"]
    length = len(lines[0])
    while length < characters:
        lines.append(dice.choice(frames))
        length += len(lines[-1])
    return "".join(lines)
