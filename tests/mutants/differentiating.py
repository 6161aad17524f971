"""Mistakes in differentiable environments, in their graphs, and in pathwise and mixed gradients."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

ALGORITHM, ENV = "pg_experiments/algorithm/", "pg_experiments/env/differentiable/"
gradients = partial(Mutant, "differentiating", f"{ALGORITHM}pathwise_gradients.py")
pathwise = partial(Mutant, "differentiating", f"{ALGORITHM}pathwise.py")
mixed = partial(Mutant, "differentiating", f"{ALGORITHM}mixed.py")
collecting = partial(Mutant, "differentiating", "pg_experiments/collect/differentiable.py")
vector = partial(Mutant, "differentiating", f"{ENV}vector.py")
double = partial(Mutant, "differentiating", f"{ENV}double_pendulum.py")
cart = partial(Mutant, "differentiating", f"{ENV}cartpole.py")
pushing = partial(Mutant, "differentiating", f"{ENV}pushing.py")
springs = partial(Mutant, "differentiating", f"{ENV}spring_chain.py")
ball = partial(Mutant, "differentiating", f"{ENV}ball_wall.py")
heads = partial(Mutant, "differentiating", "pg_experiments/policy/gaussian_heads.py")

PATHWISE, MIXED, ENVS = (f"tests/test_{name}.py::test_" for name in ("pathwise", "mixed", "differentiable_envs"))
DIFFERENCES = PATHWISE + "the_gradient_of_each_column_is_that_of_finite_differences"
WINDOW = PATHWISE + "a_window_is_discounted_from_its_start_and_from_each_reset_and_continued_with_v"
WEIGHT = MIXED + "the_weight_is_that_of_the_inverse_variances_and_is_lowered_by_the_distance"
MEAN = PATHWISE + "the_gradient_that_is_learned_from_is_the_mean_over_columns"

MUTANTS = [
    gradients("V(s) is not discounted", "rewards + discount[:, None].to(rewards) * values", "rewards + values", WINDOW),
    gradients(
        "rewards are not discounted",
        "(discount_weights(rollout, discount).to(rewards) * rewards).sum(0)",
        "rewards.sum(0)",
        WINDOW,
    ),
    pathwise(
        "V(s) has no graph to the actions",
        "observations = rollout.graph.following_at(rollout.finals.positions)",
        "observations = rollout.finals.observations",
        f"{DIFFERENCES}[pendulum]",
    ),
    pathwise("the policy descends", "linear.detach() - linear, left", "linear.detach() + linear, left", MEAN),
    pathwise("the gradient is a sum over columns", "* outputs).sum((1, 2)) / columns", "* outputs).sum((1, 2))", MEAN),
    mixed("both variances are swapped", "of_score / (of_score + of_path)", "of_path / (of_score + of_path)", WEIGHT),
    mixed(
        "the guard has the variance for the standard error",
        "confidence * of_score.sqrt() / distance",
        "confidence * of_score / distance",
        WEIGHT,
    ),
    mixed("there is no guard", "torch.minimum(by_variance, ", "torch.maximum(by_variance, ", WEIGHT),
    mixed(
        "gradients that are not finite are mixed",
        "torch.where(weight > 0, torch.lerp(score, pathwise, weight), score)",
        "torch.lerp(score, pathwise, weight)",
        WEIGHT,
    ),
    collecting(
        "actions have no graph",
        "actions = self.policy.sample(outputs, action_noise)",
        "actions = self.policy.sample(outputs.detach(), action_noise)",
        f"{DIFFERENCES}[pendulum]",
    ),
    collecting(
        "observations have no graph",
        "shown = self._rows(env.observations)",
        "shown = self._rows(env.observations).detach()",
        f"{DIFFERENCES}[pendulum]",
    ),
    collecting(
        "a window begins with the graph of the one before",
        "        env.detach()\n",
        "",
        PATHWISE + "nothing_but_the_graph_itself_has_a_graph_and_a_window_begins_without",
    ),
    vector(
        "an episode is one step longer",
        "self._steps >= self.system.horizon",
        "self._steps > self.system.horizon",
        ENVS + "an_episode_has_the_length_of_the_horizon_and_ends_as_the_task_says",
    ),
    vector(
        "a system that is held moves",
        "torch.where(is_moved[:, None], states, self.states)",
        "states",
        ENVS + "systems_that_are_held_or_over_stand_still_without_reward",
    ),
    double(
        "the rods turn each other the wrong way",
        "q = second_torque + sin",
        "q = second_torque - sin",
        ENVS + "a_double_pendulum_gains_the_energy_that_its_torques_add",
    ),
    cart(
        "the pole does not push the cart back",
        "(push - moment / total * acceleration * cos)",
        "push",
        ENVS + "a_cart_with_a_pole_gains_the_energy_that_its_force_adds",
    ),
    pushing(
        "the contact pulls",
        "(pusher - bx).relu()",
        "(pusher - bx)",
        ENVS + "a_pusher_that_does_not_touch_the_box_does_not_move_it",
    ),
    springs(
        "springs push where they are stretched",
        "STIFFNESS * stretched.diff(dim=-1)",
        "-STIFFNESS * stretched.diff(dim=-1)",
        ENVS + "a_chain_of_springs_gains_the_energy_that_its_forces_add",
    ),
    ball(
        "the wall stops what flies over it",
        "(above < 0)",
        "(above > 0)",
        ENVS + "a_ball_comes_to_rest_where_it_flies_to",
    ),
    heads(
        "a squashed action in the graph has half of its range",
        "super().within_bounds(low + 0.5 * (",
        "super().within_bounds(low + 0.25 * (",
        "tests/test_gaussian_heads.py::test_tensors_and_arrays_are_brought_within_the_same_bounds",
    ),
]
