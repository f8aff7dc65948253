"""The `fluxbase` command. Exit codes are those of `fluxbase.cli.output.ExitCode`."""

import sys


def main() -> None:
    """Run the command line; an error that nobody expected leaves with 70, so that 1 always means a finding."""
    try:
        from fluxbase.cli.commands import app  # noqa: PLC0415 -- the base install has none of the server's packages
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "fluxbase":
            raise
        sys.exit(
            f"error: `fluxbase` needs the Python package {error.name}, which is not installed.\n"
            "  Install its extras from the checkout: python -m pip install '.[server,embedded]'"
        )
    try:
        app()
    except Exception as error:  # noqa: BLE001 -- shown in full by the hook that typer installed
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(70)
