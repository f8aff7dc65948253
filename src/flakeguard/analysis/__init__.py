"""From attempts to verdicts: pure functions over a test's last runs."""
