"""Test evidence: reports in, verdicts with evidence out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("flakeguard-suite")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0.0.0"
