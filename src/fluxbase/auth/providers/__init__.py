"""Signing in by GitHub, Google, or any issuer of OpenID Connect that the operator configured."""
