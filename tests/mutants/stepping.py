"""Mistakes in a gradient step: what an option hands on, its rule, and the learners that step or wait."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

options = partial(Mutant, "optimizer", "pg_experiments/optimizer/__init__.py")
rules = partial(Mutant, "rules", "pg_experiments/optimizer/rules.py")
steps = partial(Mutant, "optimizer", "pg_experiments/optimizer/stacked.py")
learned = partial(Mutant, "optimizer", "pg_experiments/baseline/value.py")

OF_OPTIONS = "tests/test_optimizer.py::"
OF_RULES = "tests/test_update_rules.py::"
OF_BROKEN = "tests/test_broken_seeds.py::"
HANDED_ON = OF_OPTIONS + "test_every_setting_of_an_option_reaches_its_rule"
SCHEDULE = OF_OPTIONS + "test_a_schedule_follows_its_formula_and_stays_at_its_ends"
SAME_BITS = OF_RULES + "test_a_step_of_all_learners_has_the_bits_of_torchs_optimizer"
WAITS = OF_RULES + "test_a_learner_that_has_waited_steps_as_if_the_others_had_never_stepped"
CLIPPED = OF_OPTIONS + "test_a_learners_norm_is_that_of_all_its_parameters_together_and_each_is_clipped_by_its_own"
OVERFLOW = OF_BROKEN + "test_a_parameter_that_overflows_is_named_and_keeps_its_value_whatever_the_optimizer_remembers"
ADAM = "learning_rates, weight_decays, self.beta1, self.beta2, self.epsilon, self.decoupled"
RMSPROP = "learning_rates, weight_decays, self.decay, self.epsilon, self.momentum"
DIFFER = (
    "tests/test_learners.py::test_two_learners_that_differ_in_a_value_learn_in_one_stack_what_they_learn_in_two_runs"
)

MUTANTS = [
    options(
        "Adam's weight decay is not handed on", ADAM, ADAM.replace("weight_decays", "0 * weight_decays"), HANDED_ON
    ),
    options(
        "AdamW's weight decay is not decoupled",
        "decoupled: ClassVar[bool] = True",
        "decoupled: ClassVar[bool] = False",
        HANDED_ON,
    ),
    options(
        "AdamW's weight decay is not handed on",
        ADAM,
        ADAM.replace("weight_decays", "0 * weight_decays if self.decoupled else weight_decays"),
        HANDED_ON,
    ),
    options("β₂ is β₁", ADAM, ADAM.replace("self.beta2", "self.beta1"), HANDED_ON),
    options("Adam's ε is not handed on", ADAM, ADAM.replace("self.epsilon", "1e-8"), HANDED_ON),
    options(
        "SGD's momentum is not handed on",
        "rules.SGD(learning_rates, weight_decays, self.momentum)",
        "rules.SGD(learning_rates, weight_decays, 0.0)",
        HANDED_ON,
    ),
    options(
        "SGD's weight decay is not handed on",
        "rules.SGD(learning_rates, weight_decays, self.momentum)",
        "rules.SGD(learning_rates, 0 * weight_decays, self.momentum)",
        HANDED_ON,
    ),
    options("RMSprop's decay is not handed on", RMSPROP, RMSPROP.replace("self.decay", "0.99"), HANDED_ON),
    options("RMSprop's momentum is not handed on", RMSPROP, RMSPROP.replace("self.momentum", "0.0"), HANDED_ON),
    options(
        "all learners have the config's learning rate",
        'rates = learners.values("optimizer.learning_rate", self.learning_rate)',
        "rates = Learners(learners.seeds).values('', self.learning_rate)",
        DIFFER + "[optimizer.learning_rate-sgd]",
    ),
    options(
        "all learners have the config's weight decay",
        'decays = learners.values("optimizer.weight_decay", self.weight_decay)',
        "decays = Learners(learners.seeds).values('', self.weight_decay)",
        DIFFER + "[optimizer.weight_decay-sgd]",
    ),
    options(
        "learning rates are taken for weight decays",
        "self.rule(rates, decays)",
        "self.rule(rates, rates)",
        DIFFER + "[optimizer.weight_decay-sgd]",
    ),
    options(
        "gradients are not clipped",
        "StackedOptimizer(parameters, self.rule(rates, decays), self.max_grad_norm)",
        "StackedOptimizer(parameters, self.rule(rates, decays), None)",
        OF_OPTIONS + "test_a_gradient_is_scaled_down_to_the_largest_norm_that_it_may_have",
    ),
    options(
        "the linear schedule ends at 0",
        "return 1 - (1 - final_fraction) * progress",
        "return 1 - progress",
        SCHEDULE,
    ),
    options(
        "the cosine schedule makes a whole turn",
        "math.cos(math.pi * progress)",
        "math.cos(2 * math.pi * progress)",
        SCHEDULE,
    ),
    options(
        "a schedule goes on after the end of the run",
        "progress = min(max(progress, 0.0), 1.0)",
        "progress = max(progress, 0.0)",
        SCHEDULE,
    ),
    rules(
        "the start of Adam's mean at 0 is not corrected",
        "per_learner(-self.rates / corrections, roots,",
        "per_learner(-self.rates, roots,",
        SAME_BITS,
    ),
    rules(
        "the start of Adam's mean square at 0 is not corrected",
        "square.sqrt().div_(root).add_(self.epsilon)",
        "square.sqrt().add_(self.epsilon)",
        SAME_BITS,
    ),
    rules(
        "Adam's ε is inside the root",
        "square.sqrt().div_(root).add_(self.epsilon)",
        "square.add(self.epsilon).sqrt().div_(root)",
        SAME_BITS,
    ),
    rules(
        "Adam's ε is added before the correction",
        "square.sqrt().div_(root).add_(self.epsilon)",
        "square.sqrt().add_(self.epsilon).div_(root)",
        SAME_BITS,
    ),
    rules(
        "Adam's mean square is corrected as its mean is",
        "(1 - self.beta2**count) ** 0.5",
        "(1 - self.beta1**count) ** 0.5",
        SAME_BITS,
    ),
    rules(
        "AdamW's weight decay is not times the learning rate",
        "1 - self.rates * self.penalties if",
        "1 - self.penalties if",
        SAME_BITS,
    ),
    rules(
        "AdamW's weight decay is an L2 penalty as well",
        "        if not self.decoupled:\n            gradient = self.with_penalty(gradient, parameter, decay)\n"
        "        elif self.decays:",
        "        gradient = self.with_penalty(gradient, parameter, decay)\n        if self.decoupled and self.decays:",
        SAME_BITS,
    ),
    rules(
        "the L2 penalty has the wrong sign",
        "return gradient.addcmul(parameter, decay) if self.decays else gradient",
        "return gradient.addcmul(parameter, -decay) if self.decays else gradient",
        SAME_BITS,
    ),
    rules(
        "SGD's momentum is Nesterov's",
        "gradient = mean.mul_(self.momentum).add_(gradient)",
        "gradient = gradient + self.momentum * mean.mul_(self.momentum).add_(gradient)",
        SAME_BITS,
    ),
    rules(
        "RMSprop's mean square is that of Adam's β₂",
        "square.mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)",
        "square.mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)",
        SAME_BITS,
    ),
    rules(
        "RMSprop's momentum is of the gradient",
        "mean.mul_(self.momentum).addcdiv_(gradient, divisor), step)",
        "mean.mul_(self.momentum).add_(gradient) / divisor, step)",
        SAME_BITS,
    ),
    steps(
        "all learners are clipped by the norm of all",
        "norms = torch.linalg.vector_norm(self._gradient, dim=1)",
        "norms = torch.linalg.vector_norm(self._gradient).expand(len(self.counts))",
        CLIPPED,
    ),
    steps(
        "each parameter is clipped by its own norm",
        "norms = torch.linalg.vector_norm(self._gradient, dim=1)",
        "norms = torch.stack([g.flatten(1).norm(dim=1) for g in self._gradients.values()]).amax(0)",
        CLIPPED,
    ),
    steps(
        "small gradients are scaled up to the largest norm",
        "(self.max_grad_norm / norms.clamp(min=1e-12)).clamp(max=1.0)",
        "self.max_grad_norm / norms.clamp(min=1e-12)",
        CLIPPED,
    ),
    steps(
        "the norms of some learners are those of the first",
        "norms = _rows(norms, self._index(learners))",
        "norms = norms[: len(learners)]",
        OF_OPTIONS + "test_the_norms_of_some_learners_are_their_own_in_their_order",
    ),
    steps(
        "a learner that waits counts steps",
        "self.counts[move.learners] += 1",
        "self.counts += 1",
        WAITS,
    ),
    steps(
        "every step is corrected as the first learner's",
        "of_rule[:, list(scales)]",
        "of_rule[:, : len(scales)]",
        WAITS,
    ),
    steps(
        "a learner whose factor is 0 gathers momentum",
        "for learner, factor in zip(learners, factors, strict=True) if factor}",
        "for learner, factor in zip(learners, factors, strict=True)}",
        WAITS,
    ),
    steps(
        "the moments of some learners are not kept",
        "            stored.index_copy_(0, move.index, moment)\n",
        "            pass\n",
        WAITS,
    ),
    steps(
        "every learner's step is scaled by the first one's factor",
        "torch.lerp(before, after, scale)",
        "torch.lerp(before, after, scale[:1])",
        OF_RULES + "test_a_factor_scales_a_learners_step_and_no_other",
    ),
    steps(
        "a parameter that is not finite is kept",
        "move.after[row] = move.before[row]",
        "pass",
        OF_BROKEN
        + "test_what_is_left_of_a_seed_that_broke_are_the_parameters_of_before_and_nothing_that_is_not_finite",
    ),
    steps(
        "a parameter that overflows is not looked at",
        "if not values[row].isfinite().all():",
        "if values[row].isnan().any():",
        OVERFLOW,
    ),
    steps(
        "a norm that overflows is not noticed",
        "if not norm.isfinite():",
        "if norm.isnan():",
        OF_BROKEN + "test_a_gradient_whose_norm_alone_overflows_counts_as_broken",
    ),
    rules(
        "where the first learner has no weight decay, nobody has",
        "return bool(np.any(self.penalties))",
        "return bool(np.ravel(self.penalties)[0])",
        DIFFER + "[optimizer.weight_decay-sgd]",
    ),
    learned(
        "the baseline of a seed whose policy broke learns on",
        "float(learner not in skip and learner not in broken)",
        "float(learner not in broken)",
        "tests/test_credit.py::test_the_baseline_of_a_seed_whose_policy_broke_takes_no_step",
    ),
    learned(
        "a seed that has broken in one of the baseline's steps takes the next",
        "float(learner not in skip and learner not in broken)",
        "float(learner not in skip)",
        "tests/test_credit.py::test_a_baseline_that_broke_takes_no_more_of_its_steps",
    ),
]
