"""The tables of a database as a REST interface, under the row-level security of whoever asks."""
