"""What the policy sees of a proposal: numbers between −1 and 1 that are known before the next token is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pg_suggestions.corpus import Kind, Token
from pg_suggestions.ngram import Prediction

RECENT = 100  # tokens before the proposal
ONE_HOT = {kind: tuple(float(kind == other) for other in Kind) for kind in Kind}

FEATURES = (
    "probability",  # of the proposal under the model
    "log_probability",
    "entropy",  # of the model's distribution
    "matched_one",  # the model has seen the token before
    "matched_two",  # it has seen the two tokens before, in this order
    "occurrences",  # how often it has seen them
    "length",  # characters of the proposal
    "position",  # tokens since the beginning of the line
    "depth",  # indentation of the line, which the cursor shows
    "in_file",  # the proposal occurred earlier in the file
    "recent",  # and among the last RECENT tokens
    "repeats_after_one",  # it followed when the token before it last occurred in the file: 1, not: −1, none before: 0
    "repeats_after_two",  # the same of the two tokens before it
    *(f"after_{kind.name.lower()}" for kind in Kind),  # what precedes it; all 0 at the beginning of a file
    *(f"proposes_{kind.name.lower()}" for kind in Kind),
)


def features(
    tokens: Sequence[Token], predictions: Sequence[Prediction], proposals: Sequence[str], kinds: Mapping[str, Kind]
) -> Iterator[tuple[float, ...]]:
    """The features of each proposal of a file, in the order of FEATURES.

    Args:
        tokens: of the file.
        predictions: what the model predicts in place of each of them.
        proposals: the predicted tokens' texts.
        kinds: of these texts.
    """
    line = 0
    occurred: dict[str, int] = {}  # where a text was seen last
    followed: dict[tuple[str, ...], str] = {}  # what came after one or two tokens when they were seen last
    for i, (token, prediction, proposal) in enumerate(zip(tokens, predictions, proposals, strict=True)):
        one, two = (tuple(earlier.text for earlier in tokens[max(0, i - length) : i]) for length in (1, 2))
        last = occurred.get(proposal)
        yield (
            *_of_prediction(prediction),
            min(len(proposal), 20) / 20,
            min(i - line, 20) / 20,
            min(token.depth, 8) / 8,
            float(last is not None),
            float(last is not None and i - last <= RECENT),
            _repeats(followed.get(one), proposal),
            _repeats(followed.get(two), proposal),
            *(ONE_HOT[tokens[i - 1].kind] if i else (0.0,) * len(Kind)),
            *ONE_HOT[kinds[proposal]],
        )
        occurred[token.text] = i
        followed[one] = followed[two] = token.text
        if token.kind is Kind.NEWLINE:
            line = i + 1


def _of_prediction(prediction: Prediction) -> tuple[float, ...]:
    return (
        prediction.probability,
        max(math.log(prediction.probability) / 5, -1.0),
        min(prediction.entropy / 10, 1.0),
        float(prediction.matched >= 1),
        float(prediction.matched >= 2),
        min(math.log(prediction.occurrences) / 12, 1.0),
    )


def _repeats(follower: str | None, proposal: str) -> float:
    if follower is None:
        return 0.0
    return 1.0 if follower == proposal else -1.0
