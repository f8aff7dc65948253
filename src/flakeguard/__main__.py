"""`python -m flakeguard`."""

from flakeguard.cli import main

main()
