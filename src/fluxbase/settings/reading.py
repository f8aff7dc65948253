"""Settings for a command: what cannot be used is named, with what is wrong about it."""

from typing import Any

from pydantic import ValidationError

from fluxbase.errors import ConfigurationError
from fluxbase.settings import Settings


def read_settings[S: Settings](kind: type[S], **overrides: Any) -> S:
    """The settings of the environment and of the command's options; an option that is None was not given.

    Raises:
        ConfigurationError: A setting cannot be used; the text names each.
    """
    try:
        return kind(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'settings'}: {p['msg']}" for p in error.errors())
        raise ConfigurationError(f"the settings cannot be used: {told}") from error
