"""pass@k: the chance that at least one of k completions of a problem passes."""

from __future__ import annotations

import functools
import math


@functools.lru_cache(maxsize=65_536)
def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of pass@k for one problem: ``1 - C(n - c, k) / C(n, k)``.

    The binomials are exact integers and Python divides integers with one correct rounding, so the result is the
    nearest float to the exact value; nothing can overflow or cancel.

    Args:
        n: Completions of the problem that have a verdict.
        c: How many of them pass.
        k: Size of the draw.

    Returns:
        A probability between 0 and 1.

    Raises:
        ValueError: Unless ``0 <= c <= n`` and ``1 <= k <= n``. Fewer verdicts than ``k`` say nothing about pass@k.

    Source:
        Chen et al. 2021, "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), section 2.1.
    """
    if not 0 <= c <= n:
        raise ValueError(f"pass@k needs 0 <= c <= n, not n={n}, c={c}")
    if not 1 <= k <= n:
        raise ValueError(f"pass@k needs 1 <= k <= n, not n={n}, k={k}")
    draws = math.comb(n, k)
    return (draws - math.comb(n - c, k)) / draws
