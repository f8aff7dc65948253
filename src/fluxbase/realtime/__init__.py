"""Changes, broadcasts and presence over WebSockets, under the row-level security of whoever listens."""
