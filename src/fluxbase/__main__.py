"""`python -m fluxbase`."""

from fluxbase.cli import main

if __name__ == "__main__":
    main()
