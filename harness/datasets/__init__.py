"""Datasets: the only place that downloads. Pinned by sha256, cached, found in offline mirrors, read as records."""

from __future__ import annotations

from harness.datasets.datastore import DataStore, ProgressCallback, Verification
from harness.datasets.download import Patience
from harness.datasets.places import default_cache, mirrors_from_environment

__all__ = [
    "DataStore",
    "Patience",
    "ProgressCallback",
    "Verification",
    "default_cache",
    "mirrors_from_environment",
]
