"""Organisations, their members and invites, projects, API keys, and the audit trail of all of these."""
