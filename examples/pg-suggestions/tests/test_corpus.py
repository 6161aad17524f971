"""The data are the same every time, and no file is in two parts."""

import sysconfig
from pathlib import Path

import pytest

from pg_suggestions import corpus
from pg_suggestions.corpus import MODULES, Kind, Token, files, read


def test_no_file_is_in_two_parts():
    of_parts = [set(files(part)) for part in MODULES]
    assert all(of_parts)
    assert len(set.union(*of_parts)) == sum(map(len, of_parts))


def test_files_are_the_standard_librarys_in_a_fixed_order():
    library = Path(sysconfig.get_path("stdlib"))
    found = files("evaluation")
    assert found == files("evaluation")
    assert all(file.is_relative_to(library) and "site-packages" not in file.parts for file in found)


def test_tokens_are_texts_with_their_kind_and_depth(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("# a comment\nif x > 1:\n\n    return 'y'\nz\n")
    assert read(file) == [
        Token("if", Kind.KEYWORD, 0),
        Token("x", Kind.NAME, 0),
        Token(">", Kind.OPERATOR, 0),
        Token("1", Kind.NUMBER, 0),
        Token(":", Kind.OPERATOR, 0),
        Token("\n", Kind.NEWLINE, 0),
        Token("return", Kind.KEYWORD, 1),
        Token("'y'", Kind.STRING, 1),
        Token("\n", Kind.NEWLINE, 1),
        Token("z", Kind.NAME, 0),
        Token("\n", Kind.NEWLINE, 0),
    ]


def test_a_module_that_this_python_lacks_is_named(monkeypatch):
    monkeypatch.setitem(corpus.MODULES, "model", ("no_such_module",))
    with pytest.raises(FileNotFoundError, match="no_such_module"):
        files("model")
