"""Who is solved, who is at a limit, and how far each seed is: at the very values at which it changes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pg_experiments.run.accounts import Accounts


def accounts(seeds: int = 1, **changes) -> Accounts:
    values = {"solved_at": 10.0, "window": 3, "quota": 2, "max_episodes": None, "max_steps": 1000}
    return Accounts(list(range(seeds)), **values | changes)


def enter(of: Accounts, *returns: float, learner: int = 0, steps: int = 1) -> None:
    of.add(np.array([learner]), np.array([steps]), [np.array(returns)])


def test_a_seed_is_solved_with_the_episode_whose_full_window_reaches_the_threshold():
    few = accounts()
    enter(few, 30, 30)
    assert not few.seeds[0].solved, "a window that is not full solves nothing"
    enter(few, 30)
    assert few.seeds[0].episodes_to_solve == 3
    exactly = accounts()
    enter(exactly, 0, 5, 10, 15, 100, 0, 0, 0)
    assert exactly.seeds[0].episodes_to_solve == 4, "5, 10 and 15 have a mean of 10, and later ones change nothing"
    below = accounts()
    enter(below, 9.99, 10, 10)
    assert not below.seeds[0].solved


def test_the_mean_return_is_that_of_the_last_window_of_each_seed():
    of = accounts(3)
    enter(of, 1, 2, 3, 4, 5)
    enter(of, 7, learner=2)
    assert of.mean_returns().tolist()[::2] == [4, 7]
    assert math.isnan(of.mean_returns()[1])


def test_a_window_with_a_batch_is_what_it_will_be_and_counts_where_it_is_full_and_an_episode_has_ended():
    of = accounts(4)
    enter(of, 1, 2, 3, 4)
    enter(of, 7, learner=2)
    enter(of, 1, 2, 3, learner=3)
    batch = [np.array([9.0]), np.array([5.0, 6.0, 7.0, 8.0]), np.array([8.0]), np.array([])]
    means, full = of.windows_with(np.arange(4), batch)
    assert full.tolist() == [True, True, False, False]
    of.add(np.arange(4), np.ones(4), batch)
    assert means[full].tolist() == of.mean_returns()[full].tolist() == [16 / 3, 7]
    means, full = of.windows_with(np.array([2]), [np.array([9.0])])
    assert (means.tolist(), full.tolist()) == ([8], [True])


@pytest.mark.parametrize("broken", [math.inf, -math.inf, math.nan])
def test_a_window_with_a_return_that_is_no_finite_number_does_not_count(broken):
    of = accounts()
    enter(of, 1, 2)
    assert of.windows_with(np.array([0]), [np.array([broken])])[1].tolist() == [False]
    assert of.windows_with(np.array([0]), [np.array([broken, 1.0, -broken])])[1].tolist() == [False]


def test_a_seed_that_failed_is_not_solved_by_the_batch_with_which_it_did():
    of = accounts(2)
    of.seeds[0].error = "stopped"
    enter(of, 30, 30, 30)
    assert not of.seeds[0].solved
    assert of.seeds[0].episodes == 3
    assert of.active.tolist() == [1]


def test_a_batch_that_would_end_at_the_limit_of_episodes_is_played_and_one_that_would_pass_it_is_not():
    of = accounts(max_episodes=4)
    enter(of, 1, 1)
    assert of.active.tolist() == [0]
    enter(of, 1)
    assert of.active.tolist() == []
    assert accounts(max_episodes=4, quota=None).active.tolist() == [0]


def test_the_limit_of_steps_stops_a_seed_as_soon_as_it_is_reached():
    of = accounts(2, max_steps=100)
    enter(of, 1, 1, steps=99)
    enter(of, 1, 1, steps=100, learner=1)
    assert of.active.tolist() == [0]


def test_progress_is_the_greater_share_of_each_seeds_own_limits_and_no_more_than_one():
    of = accounts(3, max_episodes=10, max_steps=100)
    enter(of, 1, 1, 1, steps=10)
    enter(of, 1, 1, steps=70, learner=1)
    enter(of, 1, 1, steps=170, learner=2)
    assert of.progress == pytest.approx([0.3, 0.7, 1.0])


def test_the_objective_counts_a_failed_seed_with_what_it_had_reached_and_not_with_what_is_no_number():
    of = accounts(3)
    for learner, value in enumerate((4.0, 8.0, math.inf)):
        enter(of, value, learner=learner)
    of.seeds[1].error = of.seeds[2].error = "stopped"
    assert of.final_returns().tolist() == [4, 8]
    assert of.objective() == 6


def test_after_a_restore_everything_counts_as_before():
    of, again = accounts(2), accounts(2)
    enter(of, 0, 5, 10, 15, steps=12)
    enter(of, 1, learner=1, steps=3)
    again.restore(of.state())
    assert again.seeds == of.seeds
