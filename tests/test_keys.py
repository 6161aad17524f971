"""The reference of keys: comments from conf/, types from the fields; both are there for every key of every option."""

from __future__ import annotations

from pathlib import Path

import pytest

from pg_experiments.app.command_line import config_directory
from pg_experiments.app.comments import comments_of
from pg_experiments.app.keys import Key, keys_outside_groups, options
from pg_experiments.app.option_files import OptionFiles
from pg_experiments.run.config import GROUPS, every_key

CONF = Path(config_directory())
FILES = OptionFiles([CONF])
EVERY = [key for group in GROUPS for option in options(FILES, group) for key in option.keys]

TEXT = """\
# @package _global_
# The file's.
#   python -m a.command
first: 1 # behind a value
second: '# no comment' # behind a text
third: # of a group
  inner: {a: 1, b: [2]} # behind what is in braces
  list:
    - 1 # of an element, which is no key
# above
fourth: null # and behind,
  # and on the next line

# of several keys

fifth: 5
sixth: a # of the sixth
# of the seventh
seventh: |
  # text
"""


def named(group: str, option: str, name: str) -> Key:
    (found,) = (o for o in options(FILES, group) if o.name == option)
    (key,) = (key for key in found.keys if key.name == name)
    return key


def test_a_comment_belongs_to_the_key_beside_it_or_directly_below_it():
    comments = comments_of(TEXT)
    assert comments.lines == ("The file's.", "python -m a.command")
    assert comments.keys == {
        "first": "behind a value",
        "second": "behind a text",
        "third": "of a group",
        "third.inner": "behind what is in braces",
        "fourth": "above and behind, and on the next line",
        "sixth": "of the sixth",
        "seventh": "of the seventh",
    }


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "3", "a: *nowhere", "? [a]\n: 1 # x"])
def test_what_is_no_group_of_keys_has_the_comment_of_its_file_and_none_of_keys(text):
    assert comments_of(f"# The file's.\n{text}").keys == {}
    assert comments_of(f"# The file's.\n{text}").first == "The file's."


def test_every_key_of_every_option_has_a_comment_and_a_type_and_every_option_a_description():
    assert [key.name for key in [*EVERY, *keys_outside_groups(FILES)] if not key.comment or not key.type] == []
    assert [(group, o.name) for group in FILES.groups for o in options(FILES, group) if not o.description] == []


def test_every_key_that_a_run_can_have_is_in_the_reference():
    named = {key.name for key in [*EVERY, *keys_outside_groups(FILES)]}
    assert set(every_key()) - set(GROUPS) <= named
    assert {"tracking.histograms_every", "checkpoint.keep"} <= named


def test_a_key_is_explained_by_the_file_that_introduces_it_and_its_value_by_the_file_that_sets_it():
    key = named("env", "pong_v5", "env.max_pool")
    assert key.comment.startswith("whether a screen is the maximum of the last two frames")
    assert (key.default, key.reason) == (False, "Pong draws all objects on every frame")
    assert key.file == CONF / "env" / "pong.yaml"
    assert named("env", "pong_v5", "env.max_steps").default == 6_000_000
    assert named("policy", "mlp", "policy.dropout").type == "a number at least 0 and below 1"


def test_an_experiment_has_a_description_and_no_keys():
    assert {option.keys for option in options(FILES, "experiment")} == {()}


def test_an_option_of_a_user_has_the_types_of_the_option_that_it_names(tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "narrow.yaml").write_text("# Narrow.\ndefaults: [mlp]\nhidden: 8 # enough\n")
    (narrow,) = (o for o in options(OptionFiles([CONF, tmp_path]), "policy") if o.name == "narrow")
    (hidden,) = (key for key in narrow.keys if key.name == "policy.hidden")
    assert hidden == Key(
        "policy.hidden",
        "units per hidden layer",
        "a whole number at least 1",
        8,
        tmp_path / "policy" / "narrow.yaml",
        "enough",
    )
    (mlp,) = (option for option in options(FILES, "policy") if option.name == "mlp")
    assert [key.name for key in narrow.keys] == [key.name for key in mlp.keys]
