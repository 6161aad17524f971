"""What the model proposes at every token of a part of the data, and whether it is right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pg_suggestions.corpus import Kind, Part, files, read
from pg_suggestions.features import features
from pg_suggestions.ngram import NGram

ORDER = 3


@dataclass(frozen=True)
class Proposals:
    """N proposals, file after file.

    Attributes:
        features: [N, D] float32, each between −1 and 1.
        accepted: [N] bool: the next token is the one that is proposed.
        files: [F + 1] the first proposal of each file that is not empty, and N.
    """

    features: NDArray[np.float32]
    accepted: NDArray[np.bool_]
    files: NDArray[np.int64]


@cache
def model() -> tuple[NGram, dict[str, Kind]]:
    """The n-gram model of the part `model`, and the kind of each token that it may propose."""
    read_files = [read(file) for file in files("model")]
    kinds = {token.text: token.kind for tokens in read_files for token in tokens}
    return NGram(ORDER, ([token.text for token in tokens] for tokens in read_files)), kinds


@cache
def proposals(part: Part) -> Proposals:
    """The proposals in the files of a part. They are made once in a process, and not to be changed."""
    ngram, kinds = model()
    observed, accepted, sizes = [], [], [0]
    for file in files(part):
        if not (tokens := read(file)):
            continue
        numbers = ngram.numbers(token.text for token in tokens)
        predictions = [ngram.predict(tuple(numbers[max(0, i - ORDER + 1) : i])) for i in range(len(tokens))]
        texts = [ngram.texts[prediction.token] for prediction in predictions]
        observed.append(np.array(list(features(tokens, predictions, texts, kinds)), np.float32))
        accepted.append(np.array([token.text == text for token, text in zip(tokens, texts, strict=True)]))
        sizes.append(len(tokens))
    return Proposals(np.concatenate(observed), np.concatenate(accepted), np.cumsum(sizes))


@cache
def stretches(part: Part, length: int, step: int = 1) -> NDArray[np.int64]:
    """Where stretches of `length` proposals begin that have one more proposal behind them in their file.

    Args:
        part: of the data.
        length: proposals of a stretch.
        step: from one beginning to the next in a file; `step=length` makes stretches that share no proposal.

    Raises:
        ValueError: there is none.
    """
    bounds = proposals(part).files
    firsts, ends = bounds[:-1], bounds[1:] - length
    starts = np.concatenate([np.arange(first, end, step) for first, end in zip(firsts, ends, strict=True)])
    if not len(starts):
        raise ValueError(f"length={length}: no file of the part {part} has more proposals than that")
    return starts
