"""The docs' table of steps is what the code does: every row is run."""

import re
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flakeguard.analysis.model import Verdict

from .histories import analyse, is_pause

DOCS = Path(__file__).parents[3] / "docs" / "verdicts.md"
ROW = re.compile(r"^\| (\w+) \| (\w+) \| .+ \| `([^`]+)` \| `([^`]+)` \|$", re.MULTILINE)
ROWS = ROW.findall(DOCS.read_text(encoding="utf-8"))


def test_the_table_has_every_step_once():
    assert sorted((before, after) for before, after, _, _ in ROWS) == sorted(permutations(map(str, Verdict), 2))


@pytest.mark.parametrize(("before", "after", "past", "step"), ROWS)
def test_a_step_of_the_table_happens_as_told(before, after, past, step):
    assert analyse(past).verdict == before
    assert analyse(f"{past} {step}").verdict == after


steps = st.lists(
    st.sampled_from(["P", "P", "P", "P*3", "F", "FP", "F|P", "S", "F!", "F~", "x:F", "x:P", "win@F", "7d"]),
    min_size=1,
    max_size=14,
).filter(lambda words: not is_pause(words[0]))


@settings(deadline=None)
@given(steps)
def test_only_passes_and_the_clock_lead_to_stable_and_only_failures_to_flaky_or_broken(words):
    """A pass never makes a test look worse than suspected, a failure never better than it was."""
    before, after = analyse(" ".join(words[:-1] or ["S"])).verdict, analyse(" ".join(words)).verdict
    if before != after and words[-1] in {"P", "P*3", "S"}:
        assert after not in {Verdict.FLAKY, Verdict.BROKEN}
    if before != after and words[-1] == "FP":
        assert after in {Verdict.FLAKY, Verdict.RECOVERING}
