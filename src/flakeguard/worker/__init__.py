"""Queues, the outbox that feeds them, and the processors that empty them."""
