"""The order of a run's reports: by their own time, and never by their arrival."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from flakeguard.ingestion.repository import report_key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGESTS = st.binary(min_size=32, max_size=32)


@given(first=DIGESTS, second=DIGESTS)
def test_reports_stand_in_the_order_of_their_time(first: bytes, second: bytes) -> None:
    assert report_key(first, None) < report_key(second, NOON) < report_key(first, NOON + timedelta(seconds=1))
    assert report_key(first, NOON) == report_key(first, NOON.replace(tzinfo=None))
    assert report_key(first, NOON) == report_key(first, NOON.astimezone(timezone(timedelta(hours=5))))


@given(digest=DIGESTS, moment=st.none() | st.datetimes(timezones=st.just(UTC)))
def test_every_report_has_a_key_that_a_column_holds(digest: bytes, moment: datetime | None) -> None:
    assert -(2**63) <= report_key(digest, moment) < 2**63


def test_reports_of_one_second_have_keys_of_their_own() -> None:
    for moment in (None, NOON):
        keys = {report_key(digest.to_bytes(8), moment) for digest in range(0, 2**62, 2**55)}
        assert len(keys) == 128
