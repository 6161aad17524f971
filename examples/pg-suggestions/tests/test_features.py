"""Features are what their names say, and known before the token that they are about."""

from pathlib import Path

import numpy as np

from pg_suggestions import proposals as made
from pg_suggestions.corpus import Token, files, read
from pg_suggestions.features import FEATURES, features


def table(tokens: list[Token], texts: list[str]) -> dict[str, list[float]]:
    """Each feature's value at each token, when `texts` are proposed with the model's probabilities."""
    ngram, kinds = made.model()
    numbers = ngram.numbers(token.text for token in tokens)
    predictions = [ngram.predict(tuple(numbers[max(0, i - 2) : i])) for i in range(len(tokens))]
    columns = zip(*features(tokens, predictions, texts, kinds), strict=True)
    return {name: list(column) for name, column in zip(FEATURES, columns, strict=True)}


def tokens_of(path: Path, source: str) -> list[Token]:
    path.write_text(source)
    return read(path)


def test_what_occurred_before_in_the_file_is_told(tmp_path):
    tokens = tokens_of(tmp_path / "a.py", "self.a\nself.b\n")
    seen = table(tokens, [".", "self", "self", "self", "self", ".", "a", "\n"])
    assert seen["in_file"] == [0, 1, 1, 1, 1, 1, 1, 1]
    assert seen["recent"] == seen["in_file"]
    assert seen["repeats_after_one"] == [0, 0, 0, 0, 0, 1, 1, 0]  # after self came ".", after "." came a
    assert seen["repeats_after_two"] == [0, 0, 0, 0, 0, 0, 1, 0]
    other = table(tokens, ["self"] * 8)
    assert other["repeats_after_one"] == [0, 0, 0, 0, 0, -1, -1, 0]


def test_an_occurrence_is_recent_for_a_hundred_tokens(tmp_path):
    tokens = tokens_of(tmp_path / "a.py", "self\n" + "1\n" * 60)
    seen = table(tokens, ["self"] * len(tokens))
    assert seen["in_file"] == [0] + [1] * 121
    assert seen["recent"] == [0] + [1] * 100 + [0] * 21


def test_place_and_kinds_are_told(tmp_path):
    tokens = tokens_of(tmp_path / "a.py", "if 1:\n    return self\n")
    texts = ["if", "1", "(", "\n", "return", "self", "\n"]
    seen = table(tokens, texts)
    assert seen["depth"] == [0, 0, 0, 0, 1 / 8, 1 / 8, 1 / 8]
    assert seen["position"] == [0, 1 / 20, 2 / 20, 3 / 20, 0, 1 / 20, 2 / 20]
    assert seen["length"] == [2 / 20, 1 / 20, 1 / 20, 1 / 20, 6 / 20, 4 / 20, 1 / 20]
    assert seen["after_newline"] == [0, 0, 0, 0, 1, 0, 0]
    assert seen["after_keyword"] == [0, 1, 0, 0, 0, 1, 0]
    assert seen["proposes_name"] == [0, 0, 0, 0, 0, 1, 0]
    assert seen["proposes_number"] == [0, 1, 0, 0, 0, 0, 0]


def test_no_feature_depends_on_the_text_that_is_to_come():
    tokens = read(files("evaluation")[3])[:300]
    texts = ["self"] * 300
    before = np.array(list(table(tokens, texts).values()))
    for place in (1, 50, 299):
        changed = [*tokens]
        changed[place] = tokens[place]._replace(text="something_else")
        after = np.array(list(table(changed, texts).values()))
        assert np.array_equal(before[:, : place + 1], after[:, : place + 1])
