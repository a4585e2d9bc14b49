"""Statistics, pure: intervals, pass@k and the estimates that reports and gates read.

scipy and numpy do what they do (quantiles, resampling); only what they lack is written here.
"""

from __future__ import annotations

from harness.stats.estimate import essential, estimate
from harness.stats.intervals import bootstrap_mean, clustered_mean, wilson
from harness.stats.passk import pass_at_k

__all__ = ["bootstrap_mean", "clustered_mean", "essential", "estimate", "pass_at_k", "wilson"]
