"""TEMPORARY by the lead, until the reports engineer's lands: overwrite me."""


def can_be_report(head: bytes) -> bool | None:
    if b"<testsuite" in head or b"<testsuites" in head:
        return True
    return False
