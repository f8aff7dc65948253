"""Test reports in, one model out: pure readers, no database, network, clock or settings."""
