"""Recomputing what is known of many tests, in batches that are jobs of their own."""
