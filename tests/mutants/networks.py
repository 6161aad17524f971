"""Mistakes in networks, and in where the steps of a batch lie."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

rollout = partial(Mutant, "rollout", "pg_experiments/tensors/rollout.py")
stacked = partial(Mutant, "networks", "pg_experiments/tensors/stacked.py")
initial = partial(Mutant, "networks", "pg_experiments/tensors/initialisation.py")
fused = partial(Mutant, "networks", "pg_experiments/tensors/fused.py")
sparse = partial(Mutant, "networks", "pg_experiments/tensors/sparse.py")
loops = partial(Mutant, "networks", "pg_experiments/tensors/compiled_perceptron.py")
module = partial(Mutant, "networks", "pg_experiments/tensors/stacked_module.py")

OF_ROLLOUT = "tests/test_rollout.py::"
OF_FUSED = "tests/test_fused.py::test_outputs_and_gradients_are_those_of_automatic_differentiation"
IN_BLOCKS = (
    "tests/test_fused.py::test_compiled_loops_add_up_the_gradients_of_all_blocks_on_any_number_of_threads[2-133]"
)
OF_STACKED = "tests/test_stacked.py::"
OF_POLICY = "tests/test_policy.py::"
PULLBACK = "tests/test_fused.py::test_a_pullback_adds_the_gradient_of_automatic_differentiation_to_what_is_there"
OF_MODULES = "tests/test_stacked_module.py::"
IN_ORDER = OF_ROLLOUT + "test_each_seeds_steps_stand_in_order_of_time_and_zeros_after_them"
BLOCKS = OF_ROLLOUT + "test_blocks_have_every_step_once_and_gather_and_scatter_undo_each_other"

MUTANTS = [
    rollout(
        "a seed's steps are taken from its neighbour's column",
        "within // E * (R * E) + seed_of * E + within % E",
        "within // E * (R * E) + (seed_of + 1) % R * E + within % E",
        IN_ORDER,
    ),
    rollout(
        "steps and episodes are mixed up",
        "within // E * (R * E) + seed_of * E + within % E",
        "within % T * (R * E) + seed_of * E + within // T",
        IN_ORDER,
    ),
    rollout(
        "one step more than a seed has counts",
        "torch.arange(N, device=mask.device) < counts[:, None]",
        "torch.arange(N, device=mask.device) <= counts[:, None]",
        IN_ORDER,
    ),
    rollout(
        "the last block is not learned from",
        "for start in range(0, self.valid.shape[1], self.block):",
        "for start in range(0, self.valid.shape[1] - self.block, self.block):",
        BLOCKS,
    ),
    rollout(
        "the block that is not full is left out",
        "N = block * max(1, math.ceil(int(counts.max()) / block))",
        "N = block * max(1, int(counts.min()) // block)",
        BLOCKS,
    ),
    rollout(
        "padding is gathered as it is",
        "return torch.where(valid, rows, torch.zeros((), dtype=rows.dtype, device=rows.device))",
        "return rows",
        IN_ORDER,
    ),
    rollout(
        "padding is scattered over the first step",
        "flat[self.positions[self.valid]] = rows[self.valid]",
        "flat[self.positions] = rows",
        BLOCKS,
    ),
    rollout(
        "an episode's return takes in its padding",
        "return torch.where(self.mask, self.rewards, 0.0).sum(0)",
        "return self.rewards.sum(0)",
        OF_ROLLOUT + "test_returns_and_lengths_of_episodes_count_no_padding",
    ),
    rollout(
        "samples are of a seed's first steps",
        "places = torch.arange(count, device=counts.device) * counts // count",
        "places = torch.arange(count, device=counts.device) % counts",
        "tests/test_health.py::test_steps_are_spread_over_each_seeds_own_whatever_its_neighbours_played",
    ),
    stacked(
        "every learner starts as the first",
        "torch_stream(seed, purpose), how",
        "torch_stream(learners.seeds[0], purpose), how",
        OF_POLICY + "test_a_seed_starts_with_the_same_parameters_whoever_its_neighbours_are",
    ),
    initial(
        "the bound of the weights counts the outputs",
        "bound = 1 / math.sqrt(weight.shape[1])",
        "bound = 1 / math.sqrt(weight.shape[0])",
        OF_STACKED + "test_torchs_initialisation_is_uniform_within_one_over_the_root_of_the_inputs",
    ),
    initial(
        "weights are never negative",
        "weight.uniform_(-bound, bound, generator=generator)",
        "weight.uniform_(0, bound, generator=generator)",
        OF_STACKED + "test_torchs_initialisation_is_uniform_within_one_over_the_root_of_the_inputs",
    ),
    initial(
        "weights are drawn from torch's own generator",
        "nn.init.orthogonal_(weight, gain, generator=generator)",
        "nn.init.orthogonal_(weight, gain)",
        OF_STACKED + "test_drawing_parameters_leaves_torchs_own_random_numbers_alone",
    ),
    stacked(
        "the last layer has the gain of the others",
        "gain = output_gain if index == len(self.weights) - 1 else hidden_gain",
        "gain = hidden_gain",
        OF_STACKED + "test_a_first_policy_is_close_to_uniform",
    ),
    stacked(
        "the first layer has the gain of the last",
        "gain = output_gain if index == len(self.weights) - 1 else hidden_gain",
        "gain = output_gain",
        OF_STACKED + "test_orthogonal_layers_keep_lengths_times_their_gain_and_the_last_has_a_gain_of_its_own",
    ),
    stacked(
        "some learners are given the weights of the first",
        "weights = rows(_members(self.weights))",
        "weights = [w if all_learners else w[: len(learners)] for w in self.weights]",
        OF_STACKED + "test_some_learners_layers_are_their_own_in_the_order_asked_for",
    ),
    stacked(
        "some learners are given the biases of the first",
        "else rows(_members(self.biases))",
        "else [b if all_learners else b[: len(learners)] for b in self.biases]",
        OF_STACKED + "test_some_learners_layers_are_their_own_in_the_order_asked_for",
    ),
    stacked(
        "as many learners as there are, in another order, are taken for all in theirs",
        "learners.tolist() == self._all_learners",
        "len(learners) == len(self.weights[0])",
        OF_STACKED + "test_some_learners_layers_are_their_own_in_the_order_asked_for",
    ),
    module(
        "every module starts as the first",
        "[_seeded(make, seed, purpose) for seed in learners]",
        "[_seeded(make, learners.seeds[0], purpose) for _ in learners]",
        OF_MODULES + "test_a_learner_in_a_stack_computes_what_its_module_computes_alone",
    ),
    module(
        "some learners are given the modules of the first",
        "stacked if learners is None else stacked[learners]",
        "stacked if learners is None else stacked[: len(learners)]",
        OF_MODULES + "test_a_learner_in_a_stack_computes_what_its_module_computes_alone",
    ),
    stacked(
        "every layer drops the units of the first",
        ".mul_(masks[..., index, :])",
        ".mul_(masks[..., 0, :])",
        OF_FUSED,
    ),
    stacked(
        "dropout does not scale the biases",
        "torch.baddbmm(bias, x, weight, beta=scale, alpha=scale)",
        "torch.baddbmm(bias, x, weight, beta=1.0, alpha=scale)",
        OF_FUSED,
    ),
    stacked(
        "the output is scaled, too",
        "return _affine(x, last_weight, last_bias, 1.0)",
        "return _affine(x, last_weight, last_bias, scale)",
        OF_FUSED,
    ),
    fused(
        "every fused layer drops the units of the first",
        "x.mul_(masks[..., layer, :]).mul_(scale)",
        "x.mul_(masks[..., 0, :]).mul_(scale)",
        OF_FUSED,
    ),
    fused(
        "fused dropout scales no unit",
        "x.mul_(masks[..., layer, :]).mul_(scale)",
        "x.mul_(masks[..., layer, :])",
        OF_FUSED,
    ),
    fused(
        "the gradient reaches units that were dropped",
        "gradient.mul_(masks[..., layer - 1, :]).mul_(scale)",
        "gradient.mul_(scale)",
        OF_FUSED,
    ),
    fused(
        "the gradient is dropped with the masks of the next layer",
        "masks[..., layer - 1, :]",
        "masks[..., -1, :]",
        OF_FUSED,
    ),
    stacked(
        "the gradient of a block replaces that of the blocks before",
        "found if parameter.grad is None else parameter.grad.add_(found)",
        "found",
        PULLBACK,
    ),
    stacked(
        "the gradient ignores dropout",
        "backward(gradient, layers, weights, biases, self.activation, noise, self.scale)",
        "backward(gradient, layers, weights, biases, self.activation, None, self.scale)",
        PULLBACK,
    ),
    fused(
        "the gradient of a bias is that of the first step",
        "gradient.sum(1, keepdim=True)",
        "gradient[:, :1]",
        OF_FUSED,
    ),
    fused(
        "the slope of leaky_relu is 0 in the gradient",
        "gradient, activated, LEAKY_SLOPE, True,",
        "gradient, activated, 0.0, True,",
        OF_FUSED,
    ),
    loops(
        "every layer of the compiled loop drops the units of the first",
        "drop_units(z, kept[r, start:stop, layer], scale[r])",
        "drop_units(z, kept[r, start:stop, 0], scale[r])",
        OF_FUSED,
    ),
    loops(
        "the compiled gradient is dropped with the masks of the first layer",
        "kept[r, start:stop, layer - 1]",
        "kept[r, start:stop, 0]",
        OF_FUSED,
    ),
    loops("the compiled gradient of tanh is not squared", "np.float32(1.0) - a * a", "np.float32(1.0) - a", OF_FUSED),
    loops(
        "the compiled gradient of a layer is that of the last block",
        "        total[i] += values[i]",
        "        total[i] = values[i]",
        IN_BLOCKS,
    ),
    loops(
        "the compiled gradient goes through the weights of the first learner",
        "                place = places[0, layer] + r * strides[0, layer]",
        "                place = places[0, layer]",
        OF_FUSED,
    ),
    stacked(
        "a compiled gradient replaces the one that is there",
        "part.zero_() if parameter.grad is None else part.copy_(parameter.grad)",
        "part.zero_()",
        PULLBACK,
    ),
    sparse(
        "the gradient of a sparse layer forgets the signs",
        "_signed_sum(gradient.contiguous(), rows[order], uses.cumsum(0) - uses, signs[order])",
        "_signed_sum(gradient.contiguous(), rows[order], uses.cumsum(0) - uses, signs[order].abs())",
        "tests/test_sparse.py::test_sparse_and_dense_first_layers_agree_forward_and_backward",
    ),
    sparse(
        "the gradient of a sparse layer goes to the next row",
        "uses.cumsum(0) - uses",
        "(uses.cumsum(0) - uses).roll(1)",
        "tests/test_sparse.py::test_sparse_and_dense_first_layers_agree_forward_and_backward",
    ),
    sparse(
        "every seed's pixels go through the first seed's weights",
        "columns = self.columns[places].long() + seeds * self.size",
        "columns = self.columns[places].long()",
        "tests/test_collect_pong.py::test_what_is_learned_from_pong_is_what_acted_dropout_included",
    ),
]
