"""A believable history of a web shop, made up from a seed and a clock. Pure: no database, no network, no real time."""
