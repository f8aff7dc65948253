"""What is said of a commit: the check run, its buttons and conclusion, and the comment."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from flakeguard.analysis.model import Answer
from flakeguard.github.publishing.conclusion import DISMISS_FLAKE, OPEN_ISSUE, QUARANTINE, RERUN_FAILED, conclude
from flakeguard.github.publishing.issue import MOST_TESTS, mark_of, render_issue
from flakeguard.github.publishing.markdown import size
from flakeguard.github.publishing.model import Conclusion, End, Past
from flakeguard.github.publishing.rendering import MARKER, MOST_BYTES, render_check_run, render_comment
from flakeguard.quarantine.decisions import State

from .commits import SHA, commit, failure, flake, held, job

GITHUB = MarkdownIt("commonmark", {"html": True}).enable("table")
EVERYTHING = frozenset({"rerun_failed", "quarantine", "open_issue", "dismiss_flake"})


@pytest.mark.parametrize(
    ("failures", "wanted"),
    [
        ([], Conclusion.SUCCESS),
        ([failure(likely=0.8)], Conclusion.ACTION_REQUIRED),
        ([failure(likely=0.79)], Conclusion.NEUTRAL),
        ([failure(1, Answer.CANNOT_TELL, 0.6)], Conclusion.NEUTRAL),
        ([failure(1, Answer.MAIN_BROKEN, 0.99)], Conclusion.NEUTRAL),
        ([failure(1, Answer.OUTAGE, 1)], Conclusion.NEUTRAL),
        ([flake(likely=0.99)], Conclusion.NEUTRAL),
        ([flake(1), failure(2, likely=0.95)], Conclusion.ACTION_REQUIRED),
        ([flake(1, end=End.RETRY)], Conclusion.SUCCESS),
        ([failure(1, likely=0.99, end=End.RERUN)], Conclusion.SUCCESS),
        ([flake(1, decision=held())], Conclusion.NEUTRAL),
        ([failure(1, verdict="flaky", likely=0.95, decision=held())], Conclusion.NEUTRAL),
        ([failure(1, verdict="flaky", likely=0.95, decision=held(State.PROPOSED))], Conclusion.ACTION_REQUIRED),
        ([failure(1, verdict="broken", likely=0.95, decision=held())], Conclusion.ACTION_REQUIRED),
        ([flake(1, decision=held()), failure(2, likely=0.95)], Conclusion.ACTION_REQUIRED),
    ],
)
def test_only_what_the_change_most_probably_broke_asks_for_action(failures, wanted):
    assert conclude(commit(*failures)) is wanted


def test_the_answers_are_those_of_the_run_page_with_odds_and_links():
    check = render_check_run(commit(failure(1), flake(2)), handled=EVERYTHING)
    assert check.title == "1 of 2 failures looks like your change."
    assert "1 yours, 1 known flake. 98 of 100 tests passed in 1 job." in check.summary
    yours, known = check.summary.splitlines()[-2:]
    assert "**[Yours](https://flake.example/projects/5/runs/1#failure-1)**<br>93 % likely |" in yours
    assert "https://flake.example/projects/5/flakes/2" in known
    assert "Known flake" in known


def test_candidates_tell_failures_rerun_pass_rate_last_failure_and_confidence():
    check = render_check_run(commit(flake(2), flake(3, 0.8, past=Past(3, 1))), handled=EVERYTHING)
    head, _, surer, other = check.text.split("\n\n")[1].splitlines()
    assert head == "| Test | Failures | Rerun pass rate | Last failed | Confidence |"
    assert surer.endswith("| 4 of 57 runs | 83 % of 6 | 25 Nov 2026 on <code>ffffffff</code> | 97 % |")
    assert other.endswith("| 1 of 3 runs | never rerun | only here | 80 % |")


def test_buttons_are_those_that_help_and_that_somebody_answers():
    def identifiers(said, handled=EVERYTHING):
        return [action.identifier for action in render_check_run(said, handled=handled).actions]

    assert identifiers(commit(flake())) == ["rerun_failed", "quarantine"]
    assert identifiers(commit(flake()), {"rerun_failed"}) == ["rerun_failed"]
    assert identifiers(commit(flake(1, 0.69))) == ["rerun_failed"]
    assert identifiers(commit(failure(likely=0.99))) == []  # running it again would not help
    assert identifiers(commit(flake(), may_rerun=False)) == ["quarantine", "open_issue"]
    assert identifiers(commit()) == []
    assert identifiers(commit(flake(end=End.RERUN))) == ["quarantine", "open_issue"]  # nothing is left to run again
    assert identifiers(commit(flake(verdict="broken"))) == ["rerun_failed"]
    assert identifiers(commit(flake(decision=held()))) == ["rerun_failed"]
    assert identifiers(commit(flake(decision=held()), may_rerun=False)) == ["open_issue"]
    proposed = flake(decision=held(State.PROPOSED))
    assert identifiers(commit(proposed)) == ["rerun_failed", "quarantine", "dismiss_flake"]
    assert identifiers(commit(proposed, may_rerun=False)) == ["quarantine", "open_issue", "dismiss_flake"]
    for action in (RERUN_FAILED, QUARANTINE, OPEN_ISSUE, DISMISS_FLAKE):
        assert len(action.label) <= 20
        assert len(action.description) <= 40
        assert len(action.identifier) <= 20


def test_an_issue_is_about_its_tests_and_marked_for_each():
    foreign = flake(7, name="`x` | @everyone <!-- flakeguard:test 8 -->")
    alone = render_issue(commit(failure(1), foreign), [foreign], [], by="grace")
    assert alone.title == "Flaky test: `x` | @everyone <!-- flakeguard:test 8 -->"
    assert alone.body.startswith(f"FlakeGuard takes this test for flaky. It failed on {SHA}.")
    assert "Asked for by @grace." in alone.body
    assert mark_of(foreign) in alone.body
    assert mark_of(flake(8)) not in alone.body  # a test's name marks nothing
    assert "test_1" not in alone.body
    assert "@everyone" not in GITHUB.render(alone.body)
    many = [flake(number, name="ü" * 300) for number in range(MOST_TESTS)]
    said = render_issue(commit(*many), many, [12, 3], by="app/x")
    assert (said.title[-12:], len(said.title) < 256) == (" and 49 more", True)
    assert "(#3, #12)" in said.body
    assert "@app" not in said.body
    assert size(said.body) < MOST_BYTES
    assert all(mark_of(one) in said.body for one in many)


def test_what_is_in_quarantine_is_said_beside_its_answer_unless_it_is_broken():
    said = commit(flake(1, decision=held()), failure(2, Answer.MAIN_BROKEN, 0.9, verdict="broken", decision=held()))
    check = render_check_run(said, handled=EVERYTHING)
    assert "1 known flake, 1 broken on main, 1 in quarantine. " in check.summary
    for text in (check.summary, render_comment(said)):
        assert text.count("quarantined until 25 Dec 2026") == 1
        assert (
            "**[Known flake](https://flake.example/projects/5/runs/1#failure-1)**<br>97 % likely<br>quarantined until"
            in text
        )
    by_title = {one.title: one.message for one in check.annotations}
    assert by_title["Known flake: test_1"].startswith("Known flake (97 %), quarantined until 25 Dec 2026. ")
    assert "quarantined" not in by_title["Main is broken: test_2"]


def test_annotations_stand_at_their_lines_and_an_outage_has_none():
    check = render_check_run(
        commit(failure(1), flake(2, location=None), failure(3, Answer.OUTAGE, 1)), handled=EVERYTHING
    )
    (annotation,) = check.annotations
    assert annotation.as_json() == {
        "path": "tests/test_cart.py",
        "start_line": 12,
        "end_line": 12,
        "annotation_level": "failure",
        "title": "Yours: test_1",
        "message": "Yours (93 %). It passed on the base before.\n\nassert 1 == 2",
    }


def test_what_does_not_fit_is_left_out_by_whole_rows_and_counted():
    long = [failure(number, name="ü" * 300, reason="because " * 40) for number in range(1500)]
    check = render_check_run(commit(*long), handled=EVERYTHING)
    assert size(check.summary) <= MOST_BYTES
    assert size(check.text) <= MOST_BYTES
    rows = [line for line in check.summary.splitlines() if "🔴" in line]
    assert len(rows) > 50
    assert all(row.count(" | ") == rows[0].count(" | ") for row in rows)
    assert f"{1500 - len(rows):,} further tests are not shown here" in check.summary
    comment = render_comment(commit(*long))
    assert size(comment) <= MOST_BYTES
    assert "1,475 further tests are not shown here" in comment


def rendered(markdown: str) -> tuple[str, str]:
    """GitHub's HTML of what is open, and of what is folded."""
    html = GITHUB.render(markdown)
    folds = re.findall(r"<details>.*?</details>", html, re.DOTALL)
    return re.sub(r"<details>.*?</details>", "", html, flags=re.DOTALL), "".join(folds)


@pytest.mark.parametrize(("failures", "in_sight", "folds"), [(1, 1, 0), (10, 10, 0), (11, 11, 0), (60, 10, 50)])
def test_a_long_list_is_folded_and_a_fold_holds_the_same_table(failures, in_sight, folds):
    check = render_check_run(commit(*(failure(number) for number in range(failures))), handled=EVERYTHING)
    seen, folded = rendered(check.summary)
    assert (seen.count("<td>"), folded.count("<td>")) == (3 * in_sight, 3 * folds)
    assert ("<summary>50 more</summary>" in folded) is bool(folds)
    seen, folded = rendered(check.text)
    assert (seen.count("<pre>"), folded.count("<pre>")) == (min(failures, 5), max(0, failures - 5))


def test_of_an_outage_the_tests_are_folded():
    outage = [failure(number, Answer.OUTAGE, 1) for number in range(40)]
    said = commit(*outage, runs=(job(tests=100, failed=95, outage=True),), unseen=55)
    seen, folded = rendered(render_check_run(said, handled=EVERYTHING).summary)
    assert "<table>" not in seen
    assert "40 by an outage, 55 not looked at. 5 of 100 tests passed" in seen
    assert "55 further tests are not shown here" in seen
    assert "<summary>40 tests</summary>" in folded


def test_the_comment_as_a_whole():
    comment = render_comment(
        commit(failure(1, name="pays | `now`"), failure(2, Answer.CANNOT_TELL, name="a@b.example"))
    )
    assert comment == (Path(__file__).parent / "comment.md").read_text().rstrip("\n")


def test_flaky_tests_without_end_fit_too():
    many = [flake(number, name="x" * 10_000) for number in range(2000)]
    check = render_check_run(commit(*many), handled=EVERYTHING)
    assert size(check.text) <= MOST_BYTES
    assert size(render_comment(commit(*many))) <= MOST_BYTES


def test_the_comment_is_found_by_its_marker_and_says_of_which_commit_it_speaks():
    said = render_comment(commit(failure(1), flake(2)))
    assert said.startswith(f"{MARKER}\n### 1 of 2 failures looks like your change.")
    assert "<code>01234567</code>" in said
    assert "<details><summary>Flaky tests among them</summary>\n\n| Test |" in said


def test_a_commit_that_came_through_says_so():
    assert "### Nothing failed.\n" in render_comment(commit())
    assert "### Nothing failed in the end; 1 test passed only when run again.\n" in render_comment(
        commit(flake(1, end=End.RERUN))
    )
    row = render_comment(commit(flake(1, end=End.RERUN))).splitlines()[7]
    assert row.startswith("| 🟢 **[Known flake](")
    assert "<br>passed on a rerun |" in row


def test_an_outage_is_told_in_numbers():
    said = commit(failure(1, Answer.OUTAGE, 1), runs=(job(tests=100, failed=95, outage=True),))
    assert render_check_run(said, handled=EVERYTHING).title == (
        "This is an outage: 95 of 100 tests failed. It counts against no test."
    )


def test_without_a_public_address_nothing_is_linked():
    said = replace(commit(failure(1), flake(2)), public_url=None)
    assert "](" not in render_check_run(said, handled=EVERYTHING).summary
    assert "](" not in render_comment(said)


def test_same_facts_same_words():
    said = commit(failure(1), flake(2))
    assert render_check_run(said, handled=EVERYTHING) == render_check_run(said, handled=EVERYTHING)
