"""Mistakes in Gaussian heads: densities, entropies, gradients, noise, and what the environment gets."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

gaussians = partial(Mutant, "gaussians", "pg_experiments/policy/gaussians.py")
heads = partial(Mutant, "gaussians", "pg_experiments/policy/gaussian_heads.py")
noise = partial(Mutant, "gaussians", "pg_experiments/policy/normal_noise.py")
parameters = partial(Mutant, "gaussians", "pg_experiments/policy/with_log_std.py")
continuous = partial(Mutant, "gaussians", "pg_experiments/env/compiled_continuous.py")

OF_HEADS = "tests/test_gaussian_heads.py::"
DIFFERENCES = OF_HEADS + "test_the_gradients_are_finite_differences_in_float64"
OF_TORCH = OF_HEADS + "test_gaussian_log_probabilities_and_entropies_are_those_of_torch"
MOVES = "tests/test_compiled_envs.py::test_a_compiled_environment_moves_as_gymnasiums_does_to_the_last_bit"

MUTANTS = [
    gaussians(
        "the log-probability leaves out the normalisation by σ",
        "(-0.5 * self._standardised(actions).square() - self.log_std - HALF_LOG_2PI)",
        "(-0.5 * self._standardised(actions).square() - HALF_LOG_2PI)",
        OF_TORCH,
    ),
    gaussians("the entropy is that of one σ too few", "(HALF_LOG_2PI + 0.5)", "HALF_LOG_2PI", OF_TORCH),
    gaussians(
        "the gradient by log σ is not centred", "(z.square() - 1) * self.slope", "z.square() * self.slope", DIFFERENCES
    ),
    gaussians(
        "the gradient by the mean is that of σ = 1",
        "torch.cat([z * (-self.log_std).exp(), ",
        "torch.cat([z, ",
        DIFFERENCES,
    ),
    gaussians(
        "the gradient passes the limits of σ unchanged",
        "to_high.sigmoid() * above_low.sigmoid()",
        "torch.ones_like(to_high)",
        DIFFERENCES,
    ),
    gaussians(
        "the determinant of tanh is added",
        "super().log_prob(actions) - log_slope(actions)",
        "super().log_prob(actions) + log_slope(actions)",
        OF_HEADS + "test_squashed_log_probabilities_are_those_of_torch_for_the_tanh_of_the_action",
    ),
    gaussians(
        "the gradient of the squashed entropy is half of it",
        "of_nodes = -2 * self._at_nodes.tanh()",
        "of_nodes = -1 * self._at_nodes.tanh()",
        DIFFERENCES,
    ),
    gaussians(
        "the squashed entropy is that before tanh",
        "return self._normal_entropy() + (log_slope(self._at_nodes) @ self._weights).sum(-1)",
        "return self._normal_entropy()",
        OF_HEADS + "test_the_squashed_entropy_is_the_mean_surprise_of_samples",
    ),
    heads(
        "a squashed action reaches half of the bounds",
        "low + 0.5 * (np.tanh(actions) + 1) * (high - low)",
        "low + 0.25 * (np.tanh(actions) + 1) * (high - low)",
        OF_HEADS + "test_a_gaussian_is_clipped_to_the_bounds_and_a_squashed_one_scaled_to_them",
    ),
    heads(
        "samples have the variance for a standard deviation",
        "self.log_std(scales)[0].exp() * noise",
        "(2 * self.log_std(scales)[0]).exp() * noise",
        OF_HEADS + "test_samples_have_the_distribution_that_they_say",
    ),
    noise(
        "noise is taken at the edge of its cell",
        "x = 2 * uniform.double() - 1 + CELL",
        "x = 2 * uniform.double() - 1",
        OF_HEADS + "test_normal_noise_is_scipys_inverse_at_the_centre_of_every_cell",
    ),
    parameters(
        "the parameter of σ gets the gradient of the first step",
        "found = gradient[..., K:].sum(1, keepdim=True)",
        "found = gradient[:, :1, K:]",
        OF_HEADS + "test_the_standard_deviation_is_a_parameter_or_an_output",
    ),
    continuous("the torque costs nothing", "+ torque_cost", "", MOVES + "[Pendulum-v1-20000-None]"),
]
