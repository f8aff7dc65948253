"""Keys of machines: scopes, rates, revocation, rotation."""
