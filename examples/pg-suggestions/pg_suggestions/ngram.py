"""An n-gram model with interpolated absolute discounting (Ney, Essen & Kneser 1994).

    P(w | h) = (max(c(h, w) − D, 0) + D · N(h) · P(w | h')) / c(h)

c counts, N(h) is the number of different tokens that followed the context h, h' is h without its first token, and D
is the discount of the length of h. A context that was never seen has the distribution of h'. Below the empty context
is the uniform distribution over the vocabulary, which has a place for all unknown tokens together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

UNKNOWN = 0
Context = tuple[int, ...]


class Prediction(NamedTuple):
    """What the model says about the token after a context."""

    token: int  # the most probable one
    probability: float
    entropy: float  # of the whole distribution, in nats
    matched: int  # tokens of the context that the model has seen in this order
    occurrences: int  # how often it has seen them


class NGram:
    """The probability of a token given the `order` − 1 tokens before it."""

    def __init__(self, order: int, files: Iterable[Sequence[str]]) -> None:
        """Count the n-grams of some files.

        Args:
            order: longest n-gram, at least 1.
            files: the tokens of each; at least one token in all.
        """
        self.order = order
        self.vocabulary: dict[str, int] = {}
        numbered = [[self.vocabulary.setdefault(text, len(self.vocabulary) + 1) for text in texts] for texts in files]
        self.texts = ["", *self.vocabulary]  # by number; unknown tokens have none
        self._followers: dict[Context, dict[int, int]] = {}
        self._discounts = [self._count(numbered, length) for length in range(order)]
        self._totals = {context: sum(followers.values()) for context, followers in self._followers.items()}
        self._predictions: dict[Context, Prediction] = {}

    def numbers(self, tokens: Iterable[str]) -> list[int]:
        """Tokens by their number in the vocabulary; UNKNOWN where it has none."""
        return [self.vocabulary.get(token, UNKNOWN) for token in tokens]

    def probability(self, context: Context, token: int) -> float:
        """P(token | context); of the context the last `order` − 1 tokens count."""
        return self._probability(self._known(context), token)

    def predict(self, context: Context) -> Prediction:
        """The most probable token after a context, and the entropy of the distribution."""
        return self._predict(self._known(context))

    def _count(self, files: list[list[int]], length: int) -> float:
        """Count what follows each context of a length.

        Returns:
            Their discount n1 / (n1 + 2 n2), where n1 and n2 are the numbers of n-grams that occur once and twice.
        """
        ngrams: Counter[Context] = Counter()
        for numbers in files:
            ngrams.update(zip(*(numbers[start:] for start in range(length + 1)), strict=False))
        for (*context, follower), count in ngrams.items():
            self._followers.setdefault(tuple(context), {})[follower] = count
        occurring = Counter(ngrams.values())
        return occurring[1] / (occurring[1] + 2 * occurring[2]) if occurring[1] else 0.5

    def _known(self, context: Context) -> Context:
        """The longest end of a context that was seen."""
        context = context[max(0, len(context) - self.order + 1) :]
        while context and context not in self._followers:
            context = context[1:]
        return context

    def _weights(self, context: Context) -> tuple[dict[int, int], float, int, float]:
        """Followers of a seen context, their discount and total, and the weight of the shorter context."""
        followers, total, discount = self._followers[context], self._totals[context], self._discounts[len(context)]
        return followers, discount, total, discount * len(followers) / total

    def _probability(self, context: Context, token: int) -> float:
        followers, discount, total, rest = self._weights(context)
        shorter = self._probability(context[1:], token) if context else 1 / len(self.texts)
        return max(followers.get(token, 0) - discount, 0) / total + rest * shorter

    def _predict(self, context: Context) -> Prediction:
        if context not in self._predictions:
            self._predictions[context] = self._predict_anew(context)
        return self._predictions[context]

    def _predict_anew(self, context: Context) -> Prediction:
        """Tokens that never followed the context have `rest` times their probability after the shorter one.

        So their part of the entropy follows from the shorter context's, less what its followers contribute there.
        """
        followers, discount, total, rest = self._weights(context)
        uniform = 1 / len(self.texts)
        # probability 0, so that an unknown token is never predicted
        shorter = self._predict(context[1:]) if context else Prediction(UNKNOWN, 0.0, -math.log(uniform), 0, 0)
        best, token = rest * shorter.probability, shorter.token
        others, others_mass, entropy = shorter.entropy, 1.0, 0.0
        for follower, count in followers.items():
            below = self._probability(context[1:], follower) if context else uniform
            probability = (count - discount) / total + rest * below
            entropy -= probability * math.log(probability)
            others += below * math.log(below)
            others_mass -= below
            if (probability, -follower) > (best, -token):
                best, token = probability, follower
        entropy += rest * (others - math.log(rest) * max(others_mass, 0.0))
        return Prediction(token, best, max(entropy, 0.0), len(context), total)
