"""Fluxbase is usable alone: it imports nothing of the applications above it, nor what only they need."""

import subprocess
import sys

CODE = """
import importlib, pkgutil, sys

ABOVE = {"flakeguard", "autoqa", "bullmq", "lxml", "segno", "tenacity"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABOVE:
            raise ModuleNotFoundError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Blocker())
import fluxbase

for module in pkgutil.walk_packages(fluxbase.__path__, "fluxbase."):
    importlib.import_module(module.name)
from fluxbase.app import create_app
from fluxbase.resources import Addresses
from fluxbase.settings import Settings

address = "postgresql://127.0.0.1:1/none"
app = create_app(Settings(_env_file=None), Addresses(address, address, "redis://127.0.0.1:1/0", "x" * 40))
print(len(app.openapi()["paths"]))
"""


def test_every_module_and_the_application_without_the_others(tmp_path):
    made = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stderr
    assert int(made.stdout) > 50
