"""Intervals around one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

RESAMPLES = 10_000
"""Bootstrap resamples: the ends of a 95 % interval then move by about 1 % of its width from seed to seed."""

SEED = 20_210_707
"""Seed of every bootstrap, so that one journal always gives the same interval."""

_CHUNK_CELLS = 2_000_000
"""Most numbers held at once while resampling (16 MB)."""


def wilson(successes: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a rate; never of zero width, also at 0 and at ``n`` successes.

    Args:
        successes: Number of successes. May be fractional: the mean of scores in [0, 1] times ``n``; a score in [0, 1]
            varies at most as much as a 0/1 score of the same mean, so the interval is then conservative.
        n: Number of items, at least 1.
        confidence: Two-sided, between 0 and 1.

    Returns:
        Lower and upper end, between 0 and 1.

    Raises:
        ValueError: ``n`` is below 1, ``successes`` is outside 0..n, or ``confidence`` is outside (0, 1).

    Source:
        Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, equation 1.
    """
    if n < 1:
        raise ValueError(f"a rate needs at least one item, not n={n}")
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n={n}, not {successes}")
    z = _normal_quantile(confidence)
    rate = successes / n
    shrink = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / shrink
    # At the ends the formula gives 0 and 1 exactly, up to rounding; the rate always lies inside.
    low = 0.0 if successes == 0 else max(0.0, min(centre - half, rate))
    high = 1.0 if successes == n else min(1.0, max(centre + half, rate))
    return low, high


def bootstrap_mean(
    values: Sequence[float], confidence: float = 0.95, *, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over independent problems.

    Drawing ``n`` problems with replacement and counting how often each distinct value came is a multinomial draw, so
    the counts are drawn directly: the same distribution, at a cost that depends on the distinct values only.

    Args:
        values: One value per problem, at least one.
        confidence: Two-sided, between 0 and 1.
        resamples: Number of resamples.
        seed: Of the generator; the same seed gives the same interval.

    Returns:
        Lower and upper end. Of zero width where all values are equal; the caller must then use another bound.

    Raises:
        ValueError: There is no value.
    """
    import numpy as np

    if not values:
        raise ValueError("a bootstrap needs at least one problem")
    distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    if distinct.size == 1:
        return float(distinct[0]), float(distinct[0])
    n = len(values)
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // int(distinct.size))
    means = np.concatenate(
        [
            rng.multinomial(n, counts / n, size=min(chunk, resamples - start)) @ distinct / n
            for start in range(0, resamples, chunk)
        ]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def clustered_mean(clusters: Mapping[str, Sequence[float]], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean of all scores and its t interval, with errors clustered (turns or repeats of one question move together).

    With scores ``s`` of mean ``m`` over ``N`` scores in ``G`` clusters the standard error is
    ``sqrt(G / (G - 1) * sum_c (sum_{i in c} (s_i - m))^2) / N``. The squared inner sum is the sum of squares plus the
    cross terms of Miller's formula; the factor makes it equal to the usual ``s / sqrt(n)`` where each cluster has one
    score. Quantiles are Student's with ``G - 1`` degrees of freedom.

    Args:
        clusters: Cluster -> its scores; empty clusters are ignored.
        confidence: Two-sided, between 0 and 1.

    Returns:
        Mean, lower and upper end. Of zero width where no cluster differs from the mean.

    Raises:
        ValueError: Fewer than two clusters have a score.

    Source:
        Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640), section 2.2 (clustered standard errors).
    """
    from scipy.special import stdtrit

    groups = [scores for scores in clusters.values() if scores]
    if len(groups) < 2:
        raise ValueError(f"a clustered interval needs at least two clusters, not {len(groups)}")
    total = sum(len(scores) for scores in groups)
    mean = math.fsum(score for scores in groups for score in scores) / total
    squares = math.fsum(math.fsum(score - mean for score in scores) ** 2 for scores in groups)
    error = math.sqrt(squares * len(groups) / (len(groups) - 1)) / total
    half = float(stdtrit(len(groups) - 1, (1 + confidence) / 2)) * error
    return mean, mean - half, mean + half


def _normal_quantile(confidence: float) -> float:
    # Imported here: `statistics` pulls in decimal and fractions, a tenth of the budget of `import harness`.
    from statistics import NormalDist

    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)
