"""A linear probe: logistic regression on what a network sees, without the network's framework."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Objective = Callable[[Numbers], tuple[float, Numbers]]

FIT = 0.316
"""Weight of the examples against that of small weights, as the official README has it."""
STEPS, TOLERANCE = 1000, 1e-4
REMEMBERED = 10  # steps from which the curvature is guessed


@dataclass(frozen=True)
class Probe:
    """Logits of classes, linear in features."""

    weights: Numbers
    """(K, E)."""
    bias: Numbers
    """(K,)."""

    def probabilities(self, features: npt.NDArray[np.floating]) -> Numbers:
        """(N, E) -> (N, K)."""
        return probabilities(features @ self.weights.T + self.bias)


def probabilities(logits: npt.NDArray[np.floating]) -> Numbers:
    """Softmax over the last axis."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def fit(
    features: npt.NDArray[np.floating], classes: npt.NDArray[np.integer], weight: float = FIT
) -> Probe:
    """Find the weights that make `weight` · cross-entropy + half their squares least.

    Args:
        features: (N, E).
        classes: (N,), numbers from 0 on.

    Source: openai/CLIP's README, which leaves it to scikit-learn's `LogisticRegression`.
    """
    inputs = np.column_stack([features.astype(np.float64), np.ones(len(features))])
    wanted = np.eye(int(classes.max()) + 1)[classes]
    shape = (wanted.shape[1], inputs.shape[1])

    def objective(flat: Numbers) -> tuple[float, Numbers]:
        weights = flat.reshape(shape)
        likely = probabilities(inputs @ weights.T)
        small = weights * (np.arange(shape[1]) < shape[1] - 1)  # the bias may be large
        loss = -weight * np.log(np.maximum(likely[wanted > 0], 1e-300)).sum()
        gradient = weight * (likely - wanted).T @ inputs + small
        return float(loss + 0.5 * (small**2).sum()), gradient.ravel()

    best = minimise(objective, np.zeros(shape[0] * shape[1])).reshape(shape)
    return Probe(best[:, :-1], best[:, -1])


def minimise(objective: Objective, start: Numbers) -> Numbers:
    """The place of the least value of a smooth, convex function.

    Args:
        objective: gives value and gradient.

    Source: L-BFGS, Nocedal and Wright 2006, algorithm 7.5, with halved steps.
    """
    place, (value, gradient) = start, objective(start)
    past: deque[tuple[Numbers, Numbers]] = deque(maxlen=REMEMBERED)
    for _ in range(STEPS):
        if np.abs(gradient).max() <= TOLERANCE:
            break
        step = -_curved(gradient, past)
        slope = float(gradient @ step)
        while True:
            new = place + step
            new_value, new_gradient = objective(new)
            if new_value <= value + 1e-4 * slope or np.abs(step).max() < 1e-12:
                break
            step, slope = step / 2, slope / 2
        moved, turned = new - place, new_gradient - gradient
        if moved @ turned > 0:
            past.append((moved, turned))
        if new_value >= value:  # no step is small enough to be better
            break
        place, value, gradient = new, new_value, new_gradient
    return place


def _curved(gradient: Numbers, past: "deque[tuple[Numbers, Numbers]]") -> Numbers:
    """The gradient times what is guessed of the inverse curvature."""
    if not past:
        return gradient / max(1.0, float(np.abs(gradient).max()))
    direction, shares = gradient.copy(), []
    for moved, turned in reversed(past):
        share = float(moved @ direction) / float(moved @ turned)
        direction -= share * turned
        shares.append(share)
    moved, turned = past[-1]
    direction *= float(moved @ turned) / float(turned @ turned)
    for (moved, turned), share in zip(past, reversed(shares), strict=True):
        direction += (share - float(turned @ direction) / float(moved @ turned)) * moved
    return direction
