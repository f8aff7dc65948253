"""`fluxbase.yaml`: the same settings as the FLUXBASE_ variables, with dots where those have underscores."""

import os
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from fluxbase.errors import ConfigurationError

CONFIG_VARIABLE = "FLUXBASE_CONFIG"
_DEFAULT_FILE = "fluxbase.yaml"
_PREFIX = "FLUXBASE_"


class YamlSettings(PydanticBaseSettingsSource):
    """Settings from the file that FLUXBASE_CONFIG names, or from `fluxbase.yaml` in the working directory.

    `realtime: {max_connections: 10}` is what FLUXBASE_REALTIME_MAX_CONNECTIONS=10 is. The environment goes before it.
    """

    def __init__(self, settings_class: type[BaseSettings], names: dict[str, str]) -> None:
        """Read for `settings_class`; `names` maps each FLUXBASE_ variable to its field."""
        super().__init__(settings_class)
        self._names = names

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: `__call__` answers for all fields at once."""
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Field to value.

        Raises:
            ConfigurationError: The file cannot be read, or names a setting that does not exist.
        """
        path = _file()
        return {} if path is None else _flat(_read(path), "", self._names, path)


def fields_of(settings_class: type[BaseSettings]) -> dict[str, str]:
    """Each FLUXBASE_ variable of a settings class, and the field that it fills."""
    found: dict[str, str] = {}
    for name, field in settings_class.model_fields.items():
        choices = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else ()
        found |= {str(choice): name for choice in choices if str(choice).startswith(_PREFIX)}
    return found


def _file() -> Path | None:
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    default = Path(_DEFAULT_FILE)
    return default if default.is_file() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold sections such as `database:` at its top level")
    return cast("dict[str, Any]", content)


def _flat(section: dict[str, Any], above: str, names: dict[str, str], path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in section.items():
        dotted = f"{above}{key}"
        field = names.get(_PREFIX + dotted.replace(".", "_").upper())
        if field is not None:
            values[field] = value
        elif isinstance(value, dict):
            values |= _flat(cast("dict[str, Any]", value), f"{dotted}.", names, path)
        else:
            raise ConfigurationError(f"{path} sets {dotted}, which is no setting: docs/configuration.md lists them all")
    return values
