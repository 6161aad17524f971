"""The update rules: the bits of torch.optim where all learners step, and learners that do not touch each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from pg_experiments.optimizer.rules import SGD, Adam, RMSprop, Rule
from pg_experiments.optimizer.stacked import StackedOptimizer

Torch = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
RULES: dict[str, tuple[Rule, Torch]] = {
    "adam": (
        Adam(0.03, 0.02, beta1=0.8, beta2=0.97, epsilon=1e-3, decoupled=False),
        lambda p: torch.optim.Adam(p, lr=0.03, betas=(0.8, 0.97), eps=1e-3, weight_decay=0.02),
    ),
    "adamw": (
        Adam(0.03, 0.2, beta1=0.8, beta2=0.97, epsilon=1e-3, decoupled=True),
        lambda p: torch.optim.AdamW(p, lr=0.03, betas=(0.8, 0.97), eps=1e-3, weight_decay=0.2),
    ),
    "sgd": (
        SGD(0.03, 0.02, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.9, weight_decay=0.02),
    ),
    "sgd_without_momentum": (SGD(0.03, 0.02, momentum=0.0), lambda p: torch.optim.SGD(p, lr=0.03, weight_decay=0.02)),
    "rmsprop": (
        RMSprop(0.03, 0.02, decay=0.9, epsilon=1e-3, momentum=0.7),
        lambda p: torch.optim.RMSprop(p, lr=0.03, alpha=0.9, eps=1e-3, momentum=0.7, weight_decay=0.02),
    ),
    "rmsprop_without_momentum": (
        RMSprop(0.03, 0.02, decay=0.9, epsilon=1e-3, momentum=0.0),
        lambda p: torch.optim.RMSprop(p, lr=0.03, alpha=0.9, eps=1e-3, weight_decay=0.02),
    ),
}
each_rule = pytest.mark.parametrize(("rule", "make"), RULES.values(), ids=RULES)
only_rule = pytest.mark.parametrize("rule", [rule for rule, _ in RULES.values()], ids=RULES)
STEPS = 20


def draw(generator: torch.Generator, R: int) -> list[Tensor]:
    """Numbers of very different sizes, in the shapes of two parameters."""
    sizes = [torch.empty(R, *shape).uniform_(-4, 4, generator=generator) for shape in ((7, 13), (1, 13))]
    return [torch.randn(size.shape, generator=generator) * 10**size for size in sizes]


class Stack:
    """R learners with a stacked optimizer."""

    def __init__(self, rule: Rule, values: Sequence[Tensor]) -> None:
        self.parameters = [nn.Parameter(value.clone()) for value in values]
        self.optimizer = StackedOptimizer(zip(("weight", "bias"), self.parameters, strict=True), rule)

    def step(
        self, gradients: Sequence[Tensor], learners: Sequence[int], factors: Sequence[float] | None = None
    ) -> None:
        """A step by these gradients, [R, …] each, of some learners."""
        parts = [(p * g)[list(learners)].flatten(1).sum(1) for p, g in zip(self.parameters, gradients, strict=True)]
        assert not self.optimizer.step(parts, learners, factors or [1.0] * len(learners)).broken

    def everything(self, learner: int) -> list[Tensor]:
        """Parameters, moments and count of steps."""
        moments = [moment for of_parameter in self.optimizer.moments.values() for moment in of_parameter]
        return [tensor.detach()[learner].clone() for tensor in [*self.parameters, *moments, self.optimizer.counts]]


def assert_same_bits(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> None:
    assert len(ours) == len(theirs)
    assert all(torch.equal(our, their) for our, their in zip(ours, theirs, strict=True))


@each_rule
@pytest.mark.parametrize("R", [1, 3])
def test_a_step_of_all_learners_has_the_bits_of_torchs_optimizer(rule, make, R):
    generator = torch.Generator().manual_seed(0)
    values = draw(generator, R)
    ours, theirs = Stack(rule, values), [nn.Parameter(value.clone()) for value in values]
    optimizer = make(theirs)
    for _ in range(STEPS):
        gradients = draw(generator, R)
        ours.step(gradients, range(R))
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
        assert_same_bits([p.detach() for p in ours.parameters], [p.detach() for p in theirs])


@only_rule
def test_a_learner_that_has_waited_steps_as_if_the_others_had_never_stepped(rule):
    generator = torch.Generator().manual_seed(1)
    values = draw(generator, 3)
    stack, undisturbed = Stack(rule, values), Stack(rule, values)
    for step in range(STEPS):
        gradients = draw(generator, 3)
        waits = 5 <= step < 15
        before = stack.everything(1)
        if step % 2:  # it waits in either way
            stack.step(gradients, [0, 2] if waits else [0, 1, 2])
        else:
            stack.step(gradients, [0, 1, 2], [1.0, 0.0 if waits else 1.0, 1.0])
        if waits:
            assert_same_bits(stack.everything(1), before)
        else:
            undisturbed.step(gradients, [1])
    assert_same_bits(stack.everything(1), undisturbed.everything(1))
    assert stack.optimizer.counts.tolist() == [STEPS, STEPS - 10, STEPS]
    assert undisturbed.optimizer.counts.tolist() == [0, STEPS - 10, 0]


@only_rule
def test_learners_with_learning_rates_and_decays_of_their_own_are_those_of_runs_alone(rule):
    generator = torch.Generator().manual_seed(2)
    values = draw(generator, 2)
    settings = [{"learning_rate": 0.03, "weight_decay": 0.3}, {"learning_rate": 0.0007, "weight_decay": 0.0}]
    together = {name: torch.tensor([of[name] for of in settings], dtype=torch.float64) for name in settings[0]}
    stack = Stack(dataclasses.replace(rule, **together), values)
    alone = [Stack(dataclasses.replace(rule, **of), [v[[r]] for v in values]) for r, of in enumerate(settings)]
    for _ in range(STEPS):
        gradients = draw(generator, 2)
        stack.step(gradients, [0, 1])
        for r, learner in enumerate(alone):
            learner.step([gradient[[r]] for gradient in gradients], [0])
    for r, learner in enumerate(alone):
        assert_same_bits(stack.everything(r), learner.everything(0))
    assert not torch.equal(stack.parameters[0][0], stack.parameters[0][1])


@only_rule
def test_a_factor_scales_a_learners_step_and_no_other(rule):
    values = draw(torch.Generator().manual_seed(3), 2)
    gradients = draw(torch.Generator().manual_seed(4), 2)
    scaled, whole = Stack(rule, values), Stack(rule, values)
    scaled.step(gradients, [0, 1], [0.25, 1.0])
    whole.step(gradients, [0, 1])
    for value, quarter, full in zip(values, scaled.parameters, whole.parameters, strict=True):
        assert torch.equal(quarter[0], torch.lerp(value[0], full[0], 0.25))
        assert torch.equal(quarter[1], full[1])


@only_rule
def test_a_restored_optimizer_steps_as_the_saved_one_and_keeps_its_own_tensors(rule):
    generator = torch.Generator().manual_seed(5)
    values = draw(generator, 3)
    first = Stack(rule, values)
    for learners in ([0, 1, 2], [0, 2], [2]):
        first.step(draw(generator, 3), learners)
    second = Stack(rule, [parameter.detach() for parameter in first.parameters])
    second.optimizer.restore(first.optimizer.state())
    gradients = draw(generator, 3)
    for stack in (first, second):
        stack.step(gradients, [0, 1, 2])
    for learner in range(3):
        assert_same_bits(second.everything(learner), first.everything(learner))


def test_a_state_that_does_not_fit_is_refused_in_plain_words():
    values = draw(torch.Generator().manual_seed(6), 3)
    adam, sgd = RULES["adam"][0], RULES["sgd"][0]
    optimizer = Stack(adam, values).optimizer
    for other in (Stack(sgd, values), Stack(adam, [value[:2] for value in values])):
        with pytest.raises(ValueError, match="of other parameters or of another optimizer"):
            optimizer.restore(other.optimizer.state())
    old = torch.optim.Adam([nn.Parameter(value) for value in values]).state_dict()
    with pytest.raises(ValueError, match=r"of version 0\.1"):
        optimizer.restore({"state": old["state"]})
