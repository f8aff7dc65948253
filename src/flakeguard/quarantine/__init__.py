"""Quarantine: decisions that a flaky test stands in nobody's way until a day, and what becomes of them."""
