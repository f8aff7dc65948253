"""The `flakeguard` command."""
def main() -> None:
    """Run the command line."""
