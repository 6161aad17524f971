"""Mistakes in what the command says: suggestions for wrong keys and options, and `--help KEY`."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

hints = partial(Mutant, "hints", "pg_experiments/app/hints.py")
explanation = partial(Mutant, "help", "pg_experiments/app/explanation.py")
files = partial(Mutant, "help", "pg_experiments/app/option_files.py")

HINTS = "tests/test_hints.py::"
MEANT = HINTS + "test_a_wrong_key_is_answered_with_what_it_means_for_reinforce_on_cartpole"
TWO = HINTS + "test_a_key_that_two_options_may_mean_is_that_of_the_chosen_one"
OPTION = HINTS + "test_a_wrong_option_is_answered_with_the_one_that_it_means"
ANSWERS = HINTS + "test_the_command_answers_in_one_line"
HELP = "tests/test_help_key.py::"

MUTANTS = [
    hints("a key that the composed config lacks is suggested", "if all(map(self._has, keys)) and", "if", TWO),
    hints("a synonym with a group does not stay in it", "if key in every] or found", "if False] or found", MEANT),
    hints("the suggestion lists no options", 'or f"did you mean {group}? It is one of {options}"', 'or ""', ANSWERS),
    hints("chosen options are ignored", "for overrides in (chosen, []):", "for overrides in ([],):", TWO),
    hints("a swept option is not named", "return swept[-1] if swept else", "return", ANSWERS),
    hints("an option suggests itself", 'and values.get("name") != option:', "and False:", OPTION),
    hints("a similar synonym is not looked up", "        if near in KEYS:\n", "        if near == name:\n", MEANT),
    explanation(
        "the first place is shown as the last",
        "swept = places[-1].comment == SWEPT",
        "swept = places[0].comment == SWEPT",
        HELP + "test_values_of_a_sweep_are_shown_as_such",
    ),
    explanation(
        "the command line does not set a key",
        "if override.key_or_group == key and not override.is_delete():",
        "if False:",
        HELP + "test_a_key_is_explained_with_its_comment_its_range_its_value_and_what_has_set_it",
    ),
    explanation(
        "no option is marked as chosen",
        'mark = "*" if option == chosen else " "',
        'mark = " "',
        HELP + "test_a_group_is_explained_with_its_options_and_the_keys_of_the_chosen_one",
    ),
    explanation(
        "a file says nothing of its reason",
        "if place.comment and place.comment != said else",
        "if False else",
        HELP + "test_a_file_that_sets_a_key_may_say_why",
    ),
    explanation(
        "a key of an option that is not chosen has an effect",
        "if key.name == name]\n",
        "if key.name == name and option.name == self.choices.get(group)]\n",
        HELP + "test_a_key_of_an_option_that_is_not_chosen_says_which_option_has_it",
    ),
    explanation(
        "values of a user's file are not read",
        "for directory in (root, *config_directories(), *own)]",
        "for directory in (root, *config_directories())]",
        HELP + "test_an_option_of_a_user_is_explained_with_the_files_that_it_extends",
    ),
    files(
        "the file that Hydra does not read is described",
        "in reversed([directories[0], *config_directories(), *self.own]):",
        "in [directories[0], *config_directories(), *self.own]:",
        "tests/test_option_files.py::test_a_file_with_the_name_of_the_projects_own_is_refused_as_hydra_would_not_read_it",
    ),
]
