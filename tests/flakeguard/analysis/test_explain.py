import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flakeguard.analysis.config import DEFAULT_CONFIG
from flakeguard.analysis.explain import explain
from flakeguard.analysis.model import Answer, EvidenceKind

from .histories import GROUP, history

WORDS = ["P", "P", "P", "F", "FP", "F|P", "S", "F!", "F~", "x:F", "x:P", "win@F", "win@P"]


def ask(text: str, run_id: int | None = None, **options):
    """Explain the failure of the last run, or of the named one."""
    observations = history(text)
    failing = observations[-1] if run_id is None else observations[run_id]
    return explain(failing, observations, group=GROUP, default_branch="main", **options)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        # passed on the base, fails here on every attempt
        ("P*20 x:F", Answer.YOURS),
        ("P*20 x:FFF", Answer.YOURS),
        ("P*20 x:F|x:F", Answer.YOURS),
        ("P*20 x:F x:F x:F", Answer.YOURS),
        ("P*20 x:P x:F", Answer.YOURS),
        ("P|win@P P|win@P P|win@P P|win@P x:F|x:win@F", Answer.YOURS),
        ("P*3 x:F", Answer.YOURS),
        # a known flake
        ("P*9 FP*3 P*9 x:F", Answer.KNOWN_FLAKE),
        ("P*9 F|P P*9 FP x:P x:F", Answer.KNOWN_FLAKE),
        # not known, but shown at this very commit
        ("P*20 x:P|x:F", Answer.KNOWN_FLAKE),
        ("P*20 x:FP", Answer.KNOWN_FLAKE),
        # the base fails too
        ("P*20 F F F x:F", Answer.MAIN_BROKEN),
        ("F*20 x:F", Answer.MAIN_BROKEN),
        ("P*20 F x:F", Answer.MAIN_BROKEN),
        ("P|win@F P|win@F P|win@F x:F|x:win@F", Answer.MAIN_BROKEN),
        # outage
        ("P*20 x:F!", Answer.OUTAGE),
        ("F*20 x:F!", Answer.OUTAGE),
        ("P*20 x:P|x:F~", Answer.OUTAGE),
        ("P*20 x:win@P|x:F~", Answer.OUTAGE),
        # one run in which the group failed together: the change's doing, or the machine's
        ("P*20 x:F~", Answer.CANNOT_TELL),
        ("P*20 x:F~|x:F~|x:F~", Answer.YOURS),
        # a test that came with the change
        ("x:F", Answer.YOURS),
        # too little is known of the base
        ("P F F x:F", Answer.CANNOT_TELL),
        # the default branch itself
        ("P*20 F", Answer.YOURS),
        ("P*20 F F F", Answer.MAIN_BROKEN),
        ("P*9 FP P*9 FP P F", Answer.KNOWN_FLAKE),
    ],
)
def test_answer(text, answer):
    assert ask(text).answer is answer


def test_a_later_rerun_that_passes_changes_the_answer():
    assert ask("P*20 x:F", run_id=20).answer is Answer.YOURS
    explained = ask("P*20 x:F|x:P", run_id=20)
    assert explained.answer is Answer.KNOWN_FLAKE
    assert [ref.run_id for ref in (*explained.evidence[0].failed, *explained.evidence[0].passed)] == [20, 21]


def test_what_main_did_later_does_not_excuse_a_change():
    assert ask("P*20 x:F F F F", run_id=20).answer is Answer.YOURS


def test_the_base_commit_says_which_results_are_the_base():
    assert ask("P*20 F F F x:F").answer is Answer.MAIN_BROKEN
    assert ask("P*20 F F F x:F", base_commit="c20").answer is Answer.YOURS
    assert ask("P*20 F F F P x:F", base_commit="c23").answer is Answer.MAIN_BROKEN
    assert ask("P*20 F F F x:F", base_commit="unknown").answer is Answer.MAIN_BROKEN


def test_a_job_that_always_fails_on_the_base_is_not_yours():
    text = " ".join(["P|win@F"] * 8 + ["x:win@F"])
    assert ask(text).answer is Answer.MAIN_BROKEN


def test_retries_that_fail_speak_against_a_flake():
    once, thrice = ask("P*9 FP P*9 x:F").odds, ask("P*9 FP P*9 x:FFF").odds
    assert thrice.yours > once.yours
    assert thrice.known_flake < once.known_flake


def test_a_known_flake_names_its_contradictions_and_the_base():
    explained = ask("P*9 FP P*9 FP P x:F")
    assert [piece.kind for piece in explained.evidence] == [
        EvidenceKind.FAILING,
        EvidenceKind.RETRY,
        EvidenceKind.RETRY,
        EvidenceKind.PASSING,
    ]
    assert "2 of" in explained.reason


def test_yours_names_the_failure_here_and_the_passes_of_the_base():
    explained = ask("P*20 x:F")
    assert [[ref.run_id for ref in (*piece.failed, *piece.passed)] for piece in explained.evidence] == [
        [20],
        [17, 18, 19],
    ]
    assert "passed on the base" in explained.reason


def test_evidence_says_how_many_attempts_it_names_some_of():
    explained = ask("P*20 x:FFF x:FFF")
    assert "each of its 6 attempts" in explained.reason
    failing, passing = explained.evidence
    assert (len(failing.failed), failing.attempts) == (5, 6)
    assert (len(passing.passed), passing.attempts) == (3, 20)
    (retry,) = ask("x:FFP").evidence
    assert len(retry.failed) + len(retry.passed) == retry.attempts == 3


def test_a_broken_main_names_its_failures():
    explained = ask("P*20 F F F x:F")
    assert [[ref.run_id for ref in piece.failed] for piece in explained.evidence] == [[23], [20, 21, 22]]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=15), st.sampled_from(["F", "x:F", "x:FFP", "x:E", "y:F~", "win@F", "F!"])
)
def test_odds_are_probabilities_and_the_answer_is_the_likeliest_or_none(past, last):
    explained = ask(" ".join([*past, last]))
    odds = explained.odds
    chances = (odds.yours, odds.known_flake, odds.main_broken, odds.outage)
    assert sum(chances) == pytest.approx(1)
    assert all(0 <= chance <= 1 for chance in chances)
    assert (explained.answer is Answer.CANNOT_TELL) == (max(chances) < DEFAULT_CONFIG.answer_threshold)
    assert explained.evidence
    assert explained.reason.endswith(".")


@settings(deadline=None)
@given(st.integers(5, 40), st.integers(1, 5))
def test_more_failing_runs_here_never_make_a_stable_test_less_yours(passes, runs):
    fewer = ask(" ".join([f"P*{passes}", "|".join(["x:F"] * runs)])).odds.yours
    more = ask(" ".join([f"P*{passes}", "|".join(["x:F"] * (runs + 1))])).odds.yours
    assert more >= fewer - 1e-9


def test_evidence_says_a_job_only_where_all_of_it_is_that_jobs() -> None:
    mixed = ask("P|win@P P|win@P P|win@P P|win@P x:F|x:win@F").evidence
    assert [piece.job for piece in mixed if piece.kind is EvidenceKind.FAILING] == [""]
    alone = ask("P*20 x:win@F x:win@F").evidence
    assert [piece.job for piece in alone if piece.kind is EvidenceKind.FAILING] == ["win"]
