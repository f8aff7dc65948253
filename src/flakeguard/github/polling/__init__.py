"""Looking for runs that no webhook told of."""
