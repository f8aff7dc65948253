"""5 s, doubled, at most 30 s, with jitter: the worker document's table."""

from hypothesis import given
from hypothesis import strategies as st

from flakeguard.worker.queues import bullmq_name, public_name
from flakeguard.worker.retry_policy import JITTER, delay_ms


def test_the_documents_table() -> None:
    assert [delay_ms(tries, lambda: 1.0) for tries in range(1, 6)] == [5_000, 10_000, 20_000, 30_000, 30_000]


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_jitter_only_shortens_and_stays_bounded(tries: int, drawn: float) -> None:
    assert 5_000 * (1 - JITTER) - 1 <= delay_ms(tries, lambda: drawn) <= 30_000


def test_queues_have_one_public_name_and_two_spellings() -> None:
    assert bullmq_name("runs:ingest") == "runs-ingest"
    assert public_name("runs-ingest") == public_name("runs:ingest") == "runs:ingest"
    assert public_name("runs") is None
