"""Mistakes in heads, in the policy and in dropout."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

heads = partial(Mutant, "heads", "pg_experiments/policy/discrete_heads.py")
modes = partial(Mutant, "heads", "pg_experiments/policy/heads.py")
distributions = partial(Mutant, "heads", "pg_experiments/policy/distributions.py")
policy = partial(Mutant, "policy", "pg_experiments/policy/policy.py")
dropout = partial(Mutant, "policy", "pg_experiments/tensors/stacked.py")
acting = partial(Mutant, "policy", "pg_experiments/tensors/compiled_mlp.py")

OF_HEADS = "tests/test_heads.py::"
OF_POLICY = "tests/test_policy.py::"
DERIVATIVES = (
    "tests/test_distributions.py::test_the_gradients_of_log_probability_and_entropy_are_those_of_their_formulas"
)
COMPILED = "tests/test_acting.py::test_compiled_logits_are_those_of_the_perceptron"
OWN_DROPOUT = OF_HEADS + "test_each_learner_drops_and_scales_by_its_own_probability_whoever_takes_part"

MUTANTS = [
    heads(
        "the noise of the softmax is exponential",
        "return -torch.log(-torch.log(uniform))",
        "return -torch.log(uniform)",
        OF_HEADS + "test_gumbel_noise_is_minus_the_logarithm_of_minus_the_logarithm",
    ),
    distributions(
        "the entropy of the softmax is that of its first action",
        "return -(self.probs * self.log_probs).sum(-1)",
        "return -(self.probs * self.log_probs)[..., 0]",
        OF_POLICY + "test_probabilities_sum_to_one_and_the_entropy_is_theirs",
    ),
    distributions(
        "the gradient of the softmax is that of another action",
        "scatter_add_(-1, action, ",
        "scatter_add_(-1, action * 0, ",
        DERIVATIVES,
    ),
    distributions(
        "the gradient of the softmax's entropy is not centred",
        "(self.log_probs + self.entropy[..., None])",
        "(self.log_probs + 1)",
        DERIVATIVES,
    ),
    distributions(
        "the gradient of the Bernoulli head is that of the other action",
        "(actions - self.up)",
        "(1 - actions - self.up)",
        DERIVATIVES,
    ),
    distributions(
        "the gradient of the Bernoulli head's entropy is that of its probability",
        "(-self.logits * self.up * (1 - self.up))",
        "(self.up * (1 - self.up))",
        DERIVATIVES,
    ),
    heads(
        "the Bernoulli head chooses the other action",
        "(noise < outputs).squeeze(-1) * 1",
        "(noise > outputs).squeeze(-1) * 1",
        OF_HEADS + "test_a_bernoulli_head_says_1_where_the_uniform_number_is_below_its_probability",
    ),
    heads(
        "the Bernoulli head's noise is half of it",
        "return torch.log(uniform) - torch.log1p(-uniform)",
        "return torch.log(uniform)",
        OF_HEADS + "test_a_bernoulli_head_says_1_where_the_uniform_number_is_below_its_probability",
    ),
    heads(
        "the Bernoulli head's probabilities are in the wrong order",
        "return torch.cat([1 - up, up], -1)",
        "return torch.cat([up, 1 - up], -1)",
        OF_HEADS + "test_the_probabilities_of_all_actions_are_those_of_the_log_probabilities",
    ),
    distributions(
        "the Bernoulli head's entropy is that of one outcome",
        "functional.softplus(self.logits) - self.logits * self.up",
        "functional.softplus(self.logits) - self.logits",
        OF_POLICY + "test_probabilities_sum_to_one_and_the_entropy_is_theirs",
    ),
    modes(
        "a greedy head takes 1 only where it is clearly more probable",
        "return torch.zeros_like(uniform)",
        "return torch.full_like(uniform, 0.5)",
        OF_HEADS + "test_a_greedy_head_takes_the_most_probable_action_and_of_equal_ones_the_first",
    ),
    dropout(
        "dropout keeps the units that it should drop",
        "return (bits >= int(self.drop_below[learner]))",
        "return (bits < int(self.drop_below[learner]))",
        OF_HEADS + "test_of_all_levels_dropout_drops_just_its_share_and_the_scale_keeps_the_mean",
    ),
    dropout(
        "dropout drops one level too many",
        "return (bits >= int(self.drop_below[learner]))",
        "return (bits > int(self.drop_below[learner]))",
        OF_HEADS + "test_of_all_levels_dropout_drops_just_its_share_and_the_scale_keeps_the_mean",
    ),
    dropout(
        "all learners drop as often as the first",
        "return (bits >= int(self.drop_below[learner]))",
        "return (bits >= int(self.drop_below[0]))",
        OWN_DROPOUT,
    ),
    dropout(
        "all learners scale as the first does",
        "if bool((factors == factors[0]).all()):",
        "if True:",
        OWN_DROPOUT,
    ),
    dropout(
        "a seed scales as the one in its place does",
        "factors if learners is None else factors[learners.cpu()]",
        "factors if learners is None else factors[: len(learners)]",
        OWN_DROPOUT,
    ),
    dropout(
        "where the first learner drops no unit, nobody does",
        "return bool((self.drop_below > 0).any())",
        "return bool(self.drop_below[0] > 0)",
        OWN_DROPOUT,
    ),
    dropout(
        "dropout scales by its own probability",
        "factors = LEVELS / (LEVELS - self.drop_below.double())",
        "factors = LEVELS / self.drop_below.double().clamp(min=1)",
        OF_HEADS + "test_of_all_levels_dropout_drops_just_its_share_and_the_scale_keeps_the_mean",
    ),
    dropout(
        "dropout does not scale",
        "perceptron(flat(observations), self.layers, self.activation, noise, self.scale, self.memory)",
        "perceptron(flat(observations), self.layers, self.activation, noise, 1.0, self.memory)",
        OF_POLICY + "test_dropout_stands_before_the_activation_and_scales_what_it_keeps",
    ),
    dropout(
        "dropout does not scale where sparse observations are acted on",
        "return CompiledMLP(self.layers, self.activation, self.scale)",
        "return CompiledMLP(self.layers, self.activation, 1.0)",
        "tests/test_collect_pong.py::test_what_is_learned_from_pong_is_what_acted_dropout_included",
    ),
    policy(
        "a greedy policy drops units",
        "observation_shape=self.observation_shape, noisy=False)",
        "observation_shape=self.observation_shape, noisy=True)",
        OF_HEADS + "test_a_greedy_policy_drops_no_unit_and_has_the_same_parameters",
    ),
    acting(
        "the compiled perceptron drops the units of the first layer in all",
        "kept[r, e, layer, j]",
        "kept[r, e, 0, j]",
        COMPILED,
    ),
    acting(
        "the compiled perceptron scales all learners' units as the first one's",
        "x[j] * scale[r] * kept[r, e, layer, j]",
        "x[j] * scale[0] * kept[r, e, layer, j]",
        COMPILED,
    ),
    acting(
        "the compiled perceptron adds the first layer's biases everywhere",
        "y[k] = biases[layer + 1, r, k]",
        "y[k] = biases[0, r, k]",
        COMPILED,
    ),
]
