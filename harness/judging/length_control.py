"""The length-controlled win rate of AlpacaEval 2: a logistic model in which the length's part is then set to zero.

Dubois et al. 2024, arXiv 2404.04475; tatsu-lab/alpaca_eval@cd543a1 src/alpaca_eval/metrics/glm_winrate.py
(``length_controlled_v1``). For row i of a model against a baseline the features are ``tanh(d_i / sd(d))`` with ``d``
the baseline's length less the model's in characters, the instruction's difficulty, and 1. The fit has an L1 penalty, no
intercept, soft labels, and rows of a verbose and a concise model beside the model's own, at a small weight and with
the third feature 0.

How strong the penalty is, its C, was chosen by a cross-validation whose folds depended on the machine; so there are two
ways here. Given C (behind every published row there is one of ten) the fit is exact. For new models C is chosen over
folds that are the same everywhere: row i of a group is of fold ``i % 5``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from harness.errors import HarnessError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GRID: tuple[float, ...] = tuple(float(one) for one in np.logspace(-4, 4, 10))
"""The ten values of C among which the published fits chose."""

GAMED_WEIGHT = 0.1
"""Weight of a gamed row; lambda 0.2 shared by two models."""

FOLDS = 5
_SEED = 123
_CLIP = 1e-15


class Gamed(msgspec.Struct, frozen=True):
    """The rows that regularise every fit: features, soft labels, and a group for each row (its instruction)."""

    features: Any
    labels: Any
    groups: Any


class LengthControlled(msgspec.Struct, frozen=True, kw_only=True):
    """A fit.

    Attributes:
        win_rate: In percent.
        standard_error: Of the predictions' mean, in percent; it leaves the fit's own uncertainty out, as published.
        weights: Of length, difficulty and model.
        C: The penalty's inverse strength.
    """

    win_rate: float
    standard_error: float
    weights: tuple[float, float, float]
    C: float


def gamed_rows(rows: Sequence[dict[str, str]]) -> Gamed:
    """Read the gamed rows from their table: ``preference``, ``std_delta_len``, ``instruction_difficulty``, ``index``.

    Raises:
        HarnessError: A column is missing or holds no numbers.
    """
    try:
        delta = np.array([float(row["std_delta_len"]) for row in rows])
        difficulty = np.array([float(row["instruction_difficulty"]) for row in rows])
        preference = np.array([float(row["preference"]) for row in rows])
        groups = np.array([int(float(row["index"])) for row in rows])
    except (KeyError, ValueError) as error:
        raise HarnessError(f"the gamed rows of AlpacaEval: {error}", "pin AlpacaEval's own df_gamed.csv") from error
    # The table has preferences from 0 (the baseline) to 1, or from 1 to 2 in AlpacaEval's own scale.
    labels = preference - 1 if preference.max() > 1 else preference
    features = np.column_stack([np.tanh(delta), difficulty, np.zeros(len(rows))])
    return Gamed(features, labels, groups)


def length_feature(baseline: Sequence[int], model: Sequence[int]) -> Floats:
    """``tanh`` of the difference of lengths in units of its standard deviation (ddof 1) over these rows."""
    delta = np.asarray(baseline, dtype=np.float64) - np.asarray(model, dtype=np.float64)
    deviation = delta.std(ddof=1) if len(delta) > 1 else 0.0
    # Equal differences everywhere say nothing about length.
    return np.tanh(delta / deviation) if deviation > 0 else np.zeros(len(delta))


def length_controlled(
    preferences: Sequence[float | None],
    baseline_lengths: Sequence[int],
    lengths: Sequence[int],
    difficulty: Sequence[float],
    gamed: Gamed,
    *,
    C: float | None = None,  # noqa: N803 - the literature's name
) -> LengthControlled:
    """Fit the model and predict the win rate at equal lengths.

    Args:
        preferences: 1 (baseline) to 2 (model), None where unreadable; those rows are left out of the fit but
            predicted.
        baseline_lengths: Characters of the baseline's outputs, row by row.
        lengths: Characters of the model's.
        difficulty: Of the instructions, by row.
        gamed: The regularising rows.
        C: The penalty's inverse strength; None: chosen over stable folds.

    Raises:
        HarnessError: No row has a preference, or scikit-learn is not installed.
    """
    features = own_features(baseline_lengths, lengths, difficulty)
    labels = soft_labels(preferences)
    if not np.isfinite(labels).any():
        raise HarnessError("no annotation has a preference, so there is nothing to fit")
    chosen = C if C is not None else choose_c(features, labels, gamed)
    weights = _fit(features, labels, gamed, chosen)
    return predict(weights, features, chosen)


def own_features(baseline_lengths: Sequence[int], lengths: Sequence[int], difficulty: Sequence[float]) -> Floats:
    """The three features of a model's rows."""
    hard = np.asarray(difficulty, dtype=np.float64)[: len(lengths)]
    return np.column_stack([length_feature(baseline_lengths, lengths), hard, np.ones(len(lengths))])


def soft_labels(preferences: Sequence[float | None]) -> Floats:
    """The model's part of each preference; NaN where there is none."""
    raw = np.array([np.nan if one is None else one for one in preferences], dtype=np.float64)
    raw = np.where(raw == 0, 1.5, raw)
    return np.where((raw >= 1) & (raw <= 2), raw - 1, np.nan)


def predict(weights: Sequence[float], features: Floats, C: float) -> LengthControlled:  # noqa: N803
    """The win rate by given weights, the length's part set to zero."""
    chances = _sigmoid(features[:, 1] * weights[1] + features[:, 2] * weights[2])
    error = float(chances.std(ddof=1) / np.sqrt(len(chances))) if len(chances) > 1 else 0.0
    return LengthControlled(
        win_rate=100 * float(chances.mean()),
        standard_error=100 * error,
        weights=(float(weights[0]), float(weights[1]), float(weights[2])),
        C=C,
    )


def from_weights(difficulty_weight: float, model_weight: float, difficulty: Sequence[float]) -> float:
    """The win rate in percent by published weights over these instructions.

    Between any two models, pass the differences of their weights.
    """
    hard = np.asarray(difficulty, dtype=np.float64)
    return 100 * float(_sigmoid(difficulty_weight * hard + model_weight).mean())


def choose_c(features: Floats, labels: Floats, gamed: Gamed) -> float:
    """The C with the best cross-validated likelihood over folds that depend on nothing but the rows' order."""
    known = np.isfinite(labels)
    groups = np.concatenate([gamed.groups, np.arange(len(labels))[known]])
    x = np.vstack([gamed.features, features[known]])
    y = np.concatenate([gamed.labels, labels[known]])
    weight = np.concatenate([np.full(len(gamed.labels), GAMED_WEIGHT), np.ones(int(known.sum()))])
    fold = groups % FOLDS
    totals = []
    for candidate in GRID:
        total = 0.0
        for number in range(FOLDS):
            train, test = fold != number, fold == number
            if not train.any() or not test.any():
                continue
            weights = _solve(x[train], y[train], weight[train], candidate)
            total -= _log_loss(y[test], _sigmoid(x[test] @ np.asarray(weights)), weight[test])
        totals.append(total)
    return GRID[int(np.argmax(totals))]


def _fit(features: Floats, labels: Floats, gamed: Gamed, C: float) -> tuple[float, ...]:  # noqa: N803
    known = np.isfinite(labels)
    x = np.vstack([gamed.features, features[known]])
    y = np.concatenate([gamed.labels, labels[known]])
    weight = np.concatenate([np.full(len(gamed.labels), GAMED_WEIGHT), np.ones(int(known.sum()))])
    return _solve(x, y, weight, C)


def _solve(x: Floats, y: Floats, weight: Floats, C: float) -> tuple[float, ...]:  # noqa: N803
    """Logistic regression with soft labels: every row counts twice, as 1 with weight y and as 0 with weight 1 - y.

    The order of the doubled rows (all ones, then all zeros) and the seed are the published fit's.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise HarnessError(
            "the length-controlled win rate needs scikit-learn", "pip install 'wizard-harness[judges]'"
        ) from error

    model = LogisticRegression(
        C=C, penalty="l1", solver="liblinear", fit_intercept=False, random_state=_SEED, dual=False
    )
    doubled = np.vstack([x, x])
    labels = np.concatenate([np.ones(len(y)), np.zeros(len(y))])
    weights = np.concatenate([weight * y, weight * (1 - y)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases rename `penalty`; the fit is the same
        model.fit(doubled, labels, sample_weight=weights)
    return tuple(float(one) for one in model.coef_[0])


def _log_loss(labels: Floats, chances: Floats, weight: Floats) -> float:
    p = np.clip(chances, _CLIP, 1 - _CLIP)
    losses = -(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    return float(np.average(losses, weights=weight))


def _sigmoid(values: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(values, -700, 700)))
    return found
