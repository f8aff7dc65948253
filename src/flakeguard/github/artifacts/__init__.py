"""Artifacts of workflow runs: which hold test results, of which attempt and job, and their way into ingestions."""
