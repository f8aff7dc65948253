"""GitHub: its API, webhooks, installations, artifacts, polling, and what is published there."""
