"""Profiles of the running process, in the form that pprof reads."""

from fluxbase.monitoring.profiling.sampling import cpu_profile, heap_profile

__all__ = ["cpu_profile", "heap_profile"]
