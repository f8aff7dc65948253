"""Test evidence: reports in, verdicts with evidence out."""
