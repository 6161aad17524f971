"""The model's probabilities are those of its formula, and what it says of a distribution is true of it."""

import math

import numpy as np
import pytest

from pg_suggestions.ngram import UNKNOWN, NGram
from pg_suggestions.proposals import model

ABAB = NGram(2, [list("abac")])  # the vocabulary: unknown, a, b, c


def distribution(ngram: NGram, context: tuple[int, ...]) -> np.ndarray:
    return np.array([ngram.probability(context, token) for token in range(len(ngram.texts))])


def contexts_of_the_library() -> list[tuple[int, ...]]:
    """Of every length that was seen and that was not, common ones and rare ones."""
    ngram, _ = model()
    texts = [(), ("self",), ("self", "."), ("\n", "def"), ("import",), ("raise", "ValueError"), ("nowhere", "self")]
    return [tuple(ngram.numbers(context)) for context in texts]


def test_probabilities_are_worked_out_by_hand():
    # a follows the empty context twice, b and c once each: D = 2 / (2 + 2 · 1) = 0.5; a place for each of 4 is 1/4
    a, b, unknown = 1.5 / 4 + 1.5 / 4 / 4, 0.5 / 4 + 1.5 / 4 / 4, 1.5 / 4 / 4
    assert distribution(ABAB, ()) == pytest.approx([unknown, a, b, b])
    # b and c follow a once each, and a follows b once: D = 3 / 3 = 1, so that only the shorter context counts
    assert distribution(ABAB, (1,)) == pytest.approx([unknown, a, b, b])


def test_probabilities_sum_to_one():
    ngram, _ = model()
    for context in contexts_of_the_library():
        assert distribution(ngram, context).sum() == pytest.approx(1.0)


def test_a_prediction_is_the_most_probable_token_and_the_entropy_of_the_distribution():
    ngram, _ = model()
    for context in contexts_of_the_library():
        probabilities, prediction = distribution(ngram, context), ngram.predict(context)
        assert prediction.token == probabilities.argmax()
        assert prediction.probability == pytest.approx(probabilities.max())
        assert prediction.entropy == pytest.approx(-(probabilities * np.log(probabilities)).sum())


def test_an_unseen_context_has_the_distribution_of_its_seen_end():
    ngram, _ = model()
    (unseen,) = ngram.numbers(["nowhere"])
    (seen,) = ngram.numbers(["self"])
    assert unseen == UNKNOWN
    assert ngram.predict((unseen, seen)) == ngram.predict((seen,))
    assert ngram.predict((seen,)).matched == 1
    assert ngram.predict((unseen,)) == ngram.predict(())


def test_the_model_knows_python():
    ngram, _ = model()

    def proposed(*context: str) -> str:
        return ngram.texts[ngram.predict(tuple(ngram.numbers(context))).token]

    assert proposed("def", "__init__") == "("
    assert proposed("self") == "."
    assert proposed("is", "not") == "None"


def test_equally_probable_tokens_are_ordered_by_their_first_occurrence():
    assert NGram(1, [["b", "a"]]).predict(()).token == 1
    assert math.isclose(NGram(1, [["b", "a"]]).predict(()).probability, 1 / 3)
