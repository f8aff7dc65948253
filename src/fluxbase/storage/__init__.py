"""Buckets and objects under row-level security."""
