"""Projects at a glance: of each, how its default branch stands and what is wrong, trouble first."""

from flakeguard.dashboard.glance.model import MANY_PROJECTS, CommitState, ProjectAtAGlance, ProjectFilter
from flakeguard.dashboard.glance.repository import Glance, glance

__all__ = ["MANY_PROJECTS", "CommitState", "Glance", "ProjectAtAGlance", "ProjectFilter", "glance"]
