"""Numbers in paths: `{id:int}` takes what a bigint may hold.

Starlette takes any number of digits, and Python refuses to read thousands of them: that was an error of ours (500).
"""

from starlette.convertors import IntegerConvertor, register_url_convertor


class BigintConvertor(IntegerConvertor):
    """At most as many digits as the largest bigint has; what is longer names nothing (404)."""

    regex = "[0-9]{1,19}"


def take_bigints_in_paths() -> None:
    """Let every route that is made from now on take such numbers."""
    register_url_convertor("int", BigintConvertor())
