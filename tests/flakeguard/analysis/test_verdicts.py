from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flakeguard.analysis.config import DEFAULT_CONFIG
from flakeguard.analysis.evaluate import evaluate, evaluate_window
from flakeguard.analysis.model import AttemptRef, EvidenceKind, Verdict
from flakeguard.analysis.window import Decoder, merge, pack
from flakeguard.reports.model import Outcome

from .histories import GROUP, analyse, clock, history, judge

WORDS = [
    "P",
    "P",
    "P",
    "P",
    "F",
    "E",
    "S",
    "FP",
    "F|P",
    "FFF",
    "P*4",
    "F~",
    "F~|P",
    "F!",
    "x:F",
    "x:P",
    "win@F",
    "win@P",
]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=25).map(" ".join)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("P*5", Verdict.STABLE),
        ("P*4", Verdict.UNPROVEN),
        ("S*50", Verdict.UNPROVEN),
        ("P*4 S*50", Verdict.UNPROVEN),
        ("", Verdict.UNPROVEN),
        # contradictions: by retry, by rerun, by an error, in a job of its own
        ("FP", Verdict.FLAKY),
        ("PF", Verdict.FLAKY),
        ("P*5 F|P", Verdict.FLAKY),
        ("P*5 P|E", Verdict.FLAKY),
        ("P*5 win@F|win@P", Verdict.FLAKY),
        ("P*5 x:F|P", Verdict.FLAKY),
        # skipped is no pass
        ("P*5 F|S F|S F|S", Verdict.BROKEN),
        ("P*5 FS", Verdict.STABLE),
        # regressions that were fixed
        ("P*10 F P*10", Verdict.STABLE),
        ("P*10 F*2 P*10", Verdict.STABLE),
        ("P*10 F*10 P*10", Verdict.STABLE),
        ("P*10 F|F|F P*10", Verdict.STABLE),
        # jobs that differ
        ("P|win@F P|win@F P|win@F P|win@F P|win@F", Verdict.STABLE),
        # outages count against no test
        ("P*5 F!|P P*3", Verdict.STABLE),
        ("P*5 F! F! F!", Verdict.STABLE),
        ("F!*9 P*4", Verdict.UNPROVEN),
        # mass failures prove nothing, until they are a habit
        ("P*5 F~|P P*5", Verdict.STABLE),
        ("P*5 F~|P P*5 F~|P", Verdict.STABLE),
        ("P*5 F~|P P*5 F~|P F~|P", Verdict.FLAKY),
        ("P*5 F~ F~ F~", Verdict.BROKEN),
        # broken
        ("F*60", Verdict.BROKEN),
        ("P*10 F F F", Verdict.BROKEN),
        ("P*10 F F", Verdict.STABLE),
        ("P*10 FFF", Verdict.BROKEN),
        ("P*10 F|F|F", Verdict.BROKEN),
        ("P*10 F|win@F|F|win@F", Verdict.BROKEN),
        ("P*10 F|win@P F|win@P F|win@P", Verdict.STABLE),
        ("P*10 x:F x:F x:F", Verdict.STABLE),
        ("x:F x:F x:F", Verdict.BROKEN),
        # patterns
        ("P*10 F P*10 F P*10", Verdict.SUSPECTED),
        # ... where one failure is enough if another job passed that commit
        ("P*20 P|win@P F|win@P P|win@P P*20", Verdict.SUSPECTED),
        ("P*20 P|win@P F|win@F P|win@P P*20", Verdict.STABLE),
        ("P*10 x:F x:P y:F y:P P*5", Verdict.STABLE),
        # recovering
        ("P*5 F F F P*4", Verdict.RECOVERING),
        ("P FP P*4 FP P FP P*20", Verdict.RECOVERING),
        ("P FP P*4 FP P FP P*60", Verdict.STABLE),
    ],
)
def test_verdict_of(text, verdict):
    assert analyse(text).verdict is verdict


def test_what_is_older_than_the_lookback_is_forgotten():
    assert analyse("P*5 FP 29d P*5").verdict is Verdict.FLAKY
    assert analyse("P*5 FP 31d P*5").verdict is Verdict.STABLE
    assert analyse("P*5 FP 31d P*5", replace(DEFAULT_CONFIG, lookback_days=60)).verdict is Verdict.FLAKY


def test_only_the_newest_runs_of_the_window_are_looked_at():
    assert analyse("FP P*100").verdict is Verdict.STABLE
    assert analyse("FP P*100").counts.runs == 100


def test_failures_at_the_end_of_a_flaky_test_are_broken_when_its_rate_does_not_explain_them():
    assert analyse("FP FP P FP P F F F").verdict is Verdict.FLAKY
    assert analyse("P*20 FP P*20 F F F").verdict is Verdict.BROKEN


def test_a_suspicion_gives_way_to_three_commits_unless_it_is_strong():
    assert analyse("P*5 F F F P F F F").verdict is Verdict.BROKEN
    assert analyse("P F P F P F P F P F F F").verdict is Verdict.SUSPECTED
    assert analyse("P*9 F P*9 F P*9 F P*9 F F F").verdict is Verdict.BROKEN


def test_a_test_alone_on_a_branch_says_so():
    analysis = analyse("P*10 x:F x:F x:F")
    assert analysis.broken_branches == ("x",)
    streak = analysis.streaks[0]
    assert (streak.branch, streak.job, streak.commits, streak.failures, streak.runs) == ("x", None, 3, 3, (10, 11, 12))


def test_a_job_that_fails_while_others_pass_is_named_apart():
    analysis = analyse("P|win@F P|win@F P|win@F P|win@F P|win@F")
    assert analysis.broken_branches == ()
    assert [(streak.branch, streak.job, streak.broken) for streak in analysis.streaks] == [("main", "win", True)]
    difference = analysis.differences[0]
    assert (difference.failing_job, difference.passing_job, difference.commits) == ("win", "linux", 5)
    assert difference.lasting
    assert "difference between jobs" in analysis.reason
    assert analysis.counts.contradictions == 0


def test_a_flake_is_no_lasting_difference():
    assert [d.lasting for d in analyse("P|win@P P|win@F P|win@P P|win@P").differences] == [False]


def test_evidence_of_a_retry_names_both_attempts():
    analysis = analyse("P*5 FP P")
    piece = analysis.evidence[0]
    assert piece.kind is EvidenceKind.RETRY
    assert (piece.commit, piece.branch, piece.job) == ("c6", "main", "linux")
    assert piece.failed == (AttemptRef(5, 1, Outcome.FAILED),)
    assert piece.passed == (AttemptRef(5, 2, Outcome.PASSED),)
    assert analysis.first_contradiction == analysis.last_contradiction == piece.at


def test_evidence_of_a_rerun_names_both_runs():
    piece = analyse("P*5 E|P").evidence[0]
    assert piece.kind is EvidenceKind.RERUN
    assert (piece.failed, piece.passed) == ((AttemptRef(5, 1, Outcome.ERROR),), (AttemptRef(6, 1, Outcome.PASSED),))


def test_shared_evidence_is_shown_and_marked():
    piece = analyse("P*5 F~|P P*3").evidence[0]
    assert piece.shared
    assert analyse("P*5 F~|P P*3").counts.contradictions == 1


def test_evidence_of_a_pattern_names_the_failures_and_the_passes_beside_them():
    pieces = analyse("P*5 F P*5 F P*5").evidence
    assert [piece.kind for piece in pieces] == [EvidenceKind.ISOLATED] * 2
    assert [ref.run_id for ref in pieces[0].failed] == [11]
    assert [ref.run_id for ref in pieces[0].passed] == [10, 12]


def test_evidence_of_a_break_and_of_its_repair():
    broken = analyse("P*5 F F F")
    assert [(piece.kind, [ref.run_id for ref in piece.failed]) for piece in broken.evidence] == [
        (EvidenceKind.FAILING, [5, 6, 7])
    ]
    repaired = analyse("P*5 F F F P P")
    assert [piece.kind for piece in repaired.evidence] == [EvidenceKind.FAILING, EvidenceKind.PASSING]
    assert repaired.was is Verdict.BROKEN
    assert (repaired.passes_since, repaired.passes_needed) == (2, 5)


def test_evidence_is_newest_first_and_limited():
    analysis = analyse("FP*30", replace(DEFAULT_CONFIG, evidence_limit=7))
    times = [piece.at for piece in analysis.evidence]
    assert len(times) == 7
    assert times == sorted(times, reverse=True)
    assert analysis.counts.contradictions == 30


def test_a_recovering_test_tells_how_far_it_is():
    analysis = analyse("P FP P*4 FP P FP P*20")
    assert analysis.was is Verdict.FLAKY
    assert analysis.passes_since == 20
    assert analyse(f"P FP P*4 FP P FP P*{analysis.passes_needed}").verdict is Verdict.STABLE
    assert analyse(f"P FP P*4 FP P FP P*{analysis.passes_needed - 1}").verdict is Verdict.RECOVERING


def test_one_flake_in_a_window_needs_more_passes_than_it_holds():
    assert analyse("P*3 FP P*5").passes_needed is None


def test_the_posterior_counts_runs_that_flaked_and_no_regressions():
    flaky = analyse("P*18 FFP F|P").posterior
    assert flaky.mean == pytest.approx(2.5 / 22)
    with_regression = analyse("P*9 FFP P*5 F*8 P*4 F|P").posterior
    assert with_regression.mean == pytest.approx(2.5 / 22)
    assert analyse("P*5 F F F").posterior is None


def test_counts():
    counts = analyse("P FP S x:F F! win@E").counts
    assert (counts.runs, counts.executions, counts.passed, counts.failed) == (4, 5, 2, 3)
    assert (counts.skipped, counts.outages, counts.commits, counts.branches) == (1, 1, 4, 2)
    assert counts.recent_failures == 3


@settings(deadline=None)
@given(texts, st.randoms())
def test_the_order_of_arrival_does_not_matter(text, random):
    runs = {observation.run.id: observation for observation in history(text)}
    order = {number: observation.run.order for number, observation in runs.items()}.__getitem__

    def arrive(numbers):
        window = b""
        for number in numbers:
            window = merge(window, number, pack(runs[number].attempts), order)
        return window

    shuffled = random.sample(sorted(runs), len(runs))
    assert arrive(shuffled) == arrive(sorted(runs))
    decoder = Decoder({number: observation.run for number, observation in runs.items()})
    found = evaluate_window(arrive(shuffled), decoder, group=GROUP, default_branch="main", now=clock(text))
    assert found == judge(history(text), clock(text))


@settings(deadline=None)
@given(texts)
def test_every_history_has_a_verdict_with_sound_numbers(text):
    analysis = analyse(text)
    assert 0 <= analysis.score.total <= 1
    assert 0 <= analysis.suspicion <= 1
    assert len(analysis.evidence) <= DEFAULT_CONFIG.evidence_limit
    assert analysis.reason.endswith(".")
    assert (analysis.was is not None) == (analysis.verdict is Verdict.RECOVERING)
    if analysis.posterior is not None:
        assert 0 <= analysis.posterior.low <= analysis.posterior.mean <= analysis.posterior.high <= 1
    if analysis.verdict in {Verdict.FLAKY, Verdict.BROKEN, Verdict.SUSPECTED}:
        assert any(piece.failed for piece in analysis.evidence)


@settings(deadline=None)
@given(texts)
def test_flaky_needs_a_contradiction_on_one_commit_and_job(text):
    if analyse(text).verdict is Verdict.FLAKY:
        outcomes: dict[tuple[str, str], set[bool]] = {}
        for observation in history(text):
            if not observation.run.outage:
                seen = outcomes.setdefault(observation.run.place, set())
                seen.update(mark == 1 for mark in observation.marks)
        assert any(len(seen) == 2 for seen in outcomes.values())


@settings(deadline=None)
@given(
    before=st.integers(5, 30),
    length=st.integers(1, 10),
    after=st.integers(5, 30),
    runs=st.integers(1, 3),
    jobs=st.integers(1, 2),
)
def test_a_fixed_regression_is_never_flaky_nor_suspected(before, length, after, runs, jobs):
    def commits(outcome, count):
        pieces = [f"{job}@{outcome}" for job in ("linux", "win")[:jobs]] * runs
        return ["|".join(pieces)] * count

    text = " ".join([*commits("P", before), *commits("F", length), *commits("P", after)])
    for end in (text, text + " P", text.rsplit(" ", after - 1)[0]):
        assert analyse(end).verdict in {Verdict.STABLE, Verdict.BROKEN, Verdict.RECOVERING}
    assert analyse(text).was is not Verdict.FLAKY


@settings(deadline=None)
@given(texts)
def test_a_skip_changes_no_verdict(text):
    skipped = " ".join(word + " S" for word in text.split())
    early = clock(text) + timedelta(hours=1)
    one, other = judge(history(text), early), judge(history(skipped), early)
    assert (one.verdict, one.score.failure_rate, one.score.recency) == (
        other.verdict,
        other.score.failure_rate,
        other.score.recency,
    )


def test_quiet_windows_are_analysed_once_for_a_batch():
    runs = {observation.run.id: observation for observation in history("P*20")}
    window = b""
    for number in runs:
        window = merge(window, number, pack([Outcome.PASSED]), lambda n: runs[n].run.order)
    decoder = Decoder({number: observation.run for number, observation in runs.items()})
    now = clock("P*20")
    one = evaluate_window(window, decoder, group="a", default_branch="main", now=now)
    assert evaluate_window(window, decoder, group="b", default_branch="main", now=now) is one
    later = evaluate_window(window, decoder, group="b", default_branch="main", now=now + timedelta(days=40))
    assert later.verdict is Verdict.UNPROVEN


def test_a_failing_test_without_the_default_branch_is_judged_where_it_ran_last():
    observations = history("x:P*5 x:F x:F x:F")
    found = evaluate(observations, group=GROUP, default_branch="main", now=clock("x:P*8"))
    assert found.verdict is Verdict.BROKEN
    assert found.broken_branches == ("x",)
