"""How much memory this process has, in bytes."""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_FIELDS = {"VmRSS": "rss", "VmHWM": "peak", "VmSize": "virtual", "RssFile": "file"}
_KIBIBYTE = 1024


def memory_bytes() -> dict[str, int]:
    """Memory by kind: `rss` (in use now), `peak` (the most so far), `virtual`, `file`; only `peak` without /proc."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return {"peak": _peak_bytes()}
    found = (line.partition(":") for line in lines)
    return {_FIELDS[name]: int(value.split()[0]) * _KIBIBYTE for name, _, value in found if name in _FIELDS}


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIBIBYTE  # macOS counts bytes
