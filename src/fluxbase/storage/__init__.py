"""Buckets and objects under row-level security; their bytes in a folder or anything that speaks S3."""

from fluxbase.storage.access import blobs_of, body_limit
from fluxbase.storage.blobs import BlobStore, open_store
from fluxbase.storage.cleaning import clean, running_cleaner
from fluxbase.storage.health import StorageHealth, StorageStats, storage_health, storage_stats

__all__ = [
    "BlobStore",
    "StorageHealth",
    "StorageStats",
    "blobs_of",
    "body_limit",
    "clean",
    "open_store",
    "running_cleaner",
    "storage_health",
    "storage_stats",
]
