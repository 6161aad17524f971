"""Every option of every group composes, alone and in pairs, and options that do not fit are refused in one line."""

from __future__ import annotations

import itertools
import random

import pytest
import torch

from pg_experiments.env import differentiable
from pg_experiments.run.config import GROUPS, check
from pg_experiments.support.errors import UserError
from tests.conftest import REPOSITORY, composed, make_run, one_update

TINY = ("policy.hidden=8", "env.max_episode_steps=20", "num_seeds=2")
TINY_GAMES = {
    f"env={game}": (
        "policy.hidden=8",
        "env.max_frames=240",
        "env.num_envs=2",
        f"collect={unit}",
        f"collect.{unit}=2",
        "num_seeds=2",
    )
    for game, unit in (("atari", "episodes"), ("pong", "points"), ("pong_v5", "points"))
}
OF_ONE_STEP = ("env=heaviside", "env=ball_wall")
DIFFERENTIABLE = tuple(f"env={name}" for name in differentiable.OPTIONS)  # their episodes have a length of their own
THROUGH_THEM = ("algorithm=pathwise", "algorithm=mixed")
TINY_OTHERS = {**TINY_GAMES, **dict.fromkeys(DIFFERENTIABLE, ("policy.hidden=8", "num_seeds=2"))}

BOOTSTRAPPED = ("returns=n_step", "returns=td", "returns=gae")
ACTOR_CRITICS = ("algorithm=a2c", "algorithm=a3c", "algorithm=ppo")
WITHOUT_VALUES = tuple(
    f"baseline={name}" for name in ("none", "mean", "moving_average", "leave_one_out", "time_dependent", "optimal")
)
FRAGMENTS = ("collect=steps", *ACTOR_CRITICS)
OF_BOX2D = ("env=lunarlander", "env=lunarlander_continuous", "env=bipedalwalker")
OF_MUJOCO = tuple(
    f"env={name}" for name in ("halfcheetah", "hopper", "walker2d", "ant", "inverted_pendulum", "reacher")
)
MODULES = {**dict.fromkeys(OF_BOX2D, "Box2D"), **dict.fromkeys(OF_MUJOCO, "mujoco")}  # of extras
NEEDS = {
    "baseline=shared_value": ("algorithm=a2c", "normalization=none"),
    "returns=trajectory": ("normalization=advantages",),
    **dict.fromkeys(BOOTSTRAPPED, ("baseline=value", "normalization=none")),
    **dict.fromkeys(ACTOR_CRITICS, ("normalization=none",)),
    "collect=steps": ("baseline=value", "baseline.bootstrap=true", "normalization=none"),
    "algorithm=sac": ("algorithm.learning_starts=0", "algorithm.batch_size=16"),
    **dict.fromkeys(OF_ONE_STEP, ("normalization=none", "collect.episodes=32")),
    "algorithm=pathwise": ("env=double_pendulum",),
    "algorithm=mixed": ("env=double_pendulum", "collect.episodes=3"),
}  # the options without which one is refused
EXCLUDE = (
    ({"returns=trajectory"}, {"normalization=returns", *FRAGMENTS}),
    ({*BOOTSTRAPPED, *FRAGMENTS}, {"normalization=returns"}),
    ({*BOOTSTRAPPED, *FRAGMENTS}, {*WITHOUT_VALUES}),
    (
        {"baseline=shared_value"},
        {"algorithm=reinforce", "algorithm.log_probs=stored", "returns=trajectory", "returns.exact_discount=true"},
    ),
    ({"baseline=shared_value"}, {"normalization=returns", "policy=linear", *TINY_GAMES}),
    ({"policy=gru"}, {*BOOTSTRAPPED, *ACTOR_CRITICS, "collect=steps", *TINY_GAMES}),
    ({*BOOTSTRAPPED}, {"returns.exact_discount=true"}),
    ({*ACTOR_CRITICS}, {"algorithm.log_probs=stored", "returns.exact_discount=true"}),
    ({*TINY_GAMES}, {"normalization=observations", "normalization=running"}),
    ({"normalization=running"}, {"returns=trajectory"}),
    ({*TINY_GAMES}, {"collect=episodes", "collect=steps", "algorithm.log_probs=stored", "policy.head=bernoulli"}),
    ({*MODULES, "env=pendulum", "env=mountaincar_continuous"}, {"policy.head=bernoulli"}),
    ({"baseline=time_dependent"}, {"env=acrobot"}),  # so short, all episodes have equal returns, and no advantages
)  # an option of the one set with one of the other
MLP_ALONE = ("policy.activation", "policy.bias", "policy.layers", "policy.dropout")


def options() -> list[str]:
    """Every option of every group, as an override; without those of games of points and of images alone."""
    found = sorted(REPOSITORY.glob("conf/*/*.yaml"))
    named = [f"{file.parent.name}={file.stem}" for file in found if file.parent.name in GROUPS]
    return [option for option in named if option not in ("collect=points", "policy=cnn")]


def values() -> list[str]:
    """Values of the keys that change what is computed."""
    return [
        *(f"policy.activation={name}" for name in ("relu", "leaky_relu", "tanh")),
        *(f"policy.initialisation={name}" for name in ("torch", "xavier", "orthogonal")),
        *("policy.head=bernoulli", "policy.bias=false", "policy.layers=2", "policy.dropout=0"),
        *(f"optimizer.schedule={name}" for name in ("constant", "linear", "cosine", "exponential")),
        *("optimizer.max_grad_norm=0.5", "optimizer.weight_decay=0.001", "returns.exact_discount=true"),
        *("algorithm.log_probs=stored", "algorithm.entropy_bonus=0.01", "algorithm.discount=1", "device=auto"),
    ]


def make_an_update(*overrides: str) -> None:
    for needed in dict.fromkeys(itertools.chain(*(NEEDS.get(override, ()) for override in overrides))):
        if not any(override.split("=")[0] == needed.split("=")[0] for override in overrides):
            overrides = (*overrides, needed)
    for module in {MODULES[override] for override in overrides if override in MODULES}:
        pytest.importorskip(module, reason=f"{module} is not installed")
    linear = "policy=linear" in overrides
    game = next((TINY_OTHERS[override] for override in overrides if override in TINY_OTHERS), None)
    tiny = [tiny for tiny in game or TINY if not (linear and "hidden" in tiny)]
    run = make_run(*tiny, *overrides)
    before = [p.detach().clone() for p in run.agent.policy.parameters()]
    learned = one_update(run)
    assert learned["policy_gradient_norm"].isfinite().all()
    after = list(run.agent.policy.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("override", [*options(), *values()])
def test_every_option_composes_and_makes_an_update(override):
    make_an_update(override)


def random_pairs(count: int) -> list[tuple[str, str]]:
    pairs = [
        pair
        for pair in itertools.combinations([*options(), *values()], 2)
        if pair[0].split("=")[0] != pair[1].split("=")[0]
        and "algorithm=sac" not in pair  # tests/test_sac.py has what it can be combined with
        and not set(pair) & {*DIFFERENTIABLE, *THROUGH_THEM}  # likewise tests/test_pathwise.py
        and not any(set(pair) & one and set(pair) & other for one, other in EXCLUDE)
        and not ("policy=linear" in pair and any(p.startswith("policy.") and "head" not in p for p in pair))
        and not ("policy=gru" in pair and any(p.startswith(MLP_ALONE) for p in pair))
    ]
    return random.Random(0).sample(pairs, count)


@pytest.mark.parametrize("pair", random_pairs(60), ids="+".join)
def test_random_pairs_of_options_compose_and_make_an_update(pair):
    make_an_update(*pair)


REFUSED = {
    "returns=trajectory collect=steps normalization=none": "collect=steps: a batch has pieces of episodes, whose "
    "returns are to be continued with V(s); use returns=gae with baseline=value, or baseline=value "
    "baseline.bootstrap=true",
    "returns=trajectory collect=steps normalization=none baseline=value baseline.bootstrap=true": "returns=trajectory "
    "with collect=steps: a batch has pieces of episodes, whose whole return is not known; the nearest is returns=gae",
    "algorithm=ppo algorithm.num_minibatches=7": "algorithm.num_minibatches=7: does not divide the 512 steps of a "
    "batch (collect.num_envs × collect.num_steps) evenly; the nearest is 8",
    "algorithm=ppo algorithm.num_minibatches=513": "num_minibatches=513: does not divide the 512 steps of a batch "
    "(collect.num_envs × collect.num_steps) evenly; the nearest is 512",
    "algorithm=ppo collect.num_steps=999999999989 algorithm.num_minibatches=500000000000": "evenly; the nearest is 4",
    "algorithm=ppo baseline=mean": "algorithm=ppo: needs a critic, which is V(s); the nearest is baseline=value",
    "algorithm=a2c baseline=moving_average returns=reward_to_go collect=episodes": "algorithm=a2c: needs a critic",
    "returns=gae baseline=none normalization=none": "returns=gae: continues a return with V(s), which this baseline "
    "does not learn; the nearest is baseline=value",
    "returns=td baseline=value normalization=returns": "returns=td with normalization.returns=episode: V(s) must be in "
    "the environment's units to continue a return; use normalization=advantages or normalization=none",
    "algorithm=a2c normalization=returns returns=reward_to_go collect=episodes": "algorithm=a2c with "
    "normalization.returns=episode: the advantages of an actor-critic are in the environment's units",
    "normalization.advantages=minibatch": "normalization.advantages=minibatch: this algorithm learns from "
    "the batch as a whole; the nearest is batch",
    "algorithm=a2c normalization.advantages=minibatch": "the nearest is batch",
    "env=pong normalization.observations=running": "normalization.observations=running: observations of pong are lists "
    "of the pixels that changed, of which most have none; the nearest is none",
    "baseline=value baseline.learning_rate=null": "baseline.learning_rate=null: this algorithm trains V(s) by "
    "itself; expected a number above 0, as 0.01",
    "algorithm=ppo baseline.steps=2": "baseline.steps=2: V(s) and the policy share one gradient step where "
    "baseline.learning_rate=null; give V(s) a learning rate, or the nearest is 1",
    "algorithm=ppo algorithm.clip_range=-0.1": "algorithm.clip_range=-0.1: expected a number above 0 or null; the "
    "nearest is just above 0",
    "algorithm=ppo baseline.clip_range=0": "baseline.clip_range=0: expected a number above 0 or null",
    "algorithm=ppo algorithm.target_kl=0": "algorithm.target_kl=0: expected a number above 0 or null",
    "algorithm=ppo algorithm.epochs=0": "algorithm.epochs=0: expected a whole number at least 1; the nearest is 1",
    "algorithm=ppo returns.gae_lambda=1.5": "returns.gae_lambda=1.5: expected a number at least 0 and at most 1; the "
    "nearest is 1",
    "returns=n_step returns.n=0 baseline=value normalization=none": "returns.n=0: expected a whole number at least 1",
    "algorithm=a3c collect.num_envs=8 algorithm.workers=3": "algorithm.workers=3: does not divide "
    "collect.num_envs=8 evenly; the nearest is 2",
    "algorithm=a3c collect.num_envs=8 algorithm.workers=12": "does not divide collect.num_envs=8 evenly; the nearest "
    "is 8",
    "algorithm=a3c collect=episodes collect.episodes=5 algorithm.workers=4": "algorithm.workers=4: does not divide "
    "collect.episodes=5 evenly; the nearest is 5",
    "algorithm=a3c collect.num_envs=8 baseline.learning_rate=0.01": "baseline.learning_rate=0.01: the workers of "
    "algorithm=a3c compute one gradient for policy and V(s); the nearest is null",
    "algorithm=a3c collect.num_envs=8 algorithm.staleness=-1": "algorithm.staleness=-1: expected a whole number at "
    "least 0; the nearest is 0",
    "algorithm=a3c env=pong collect=points": "algorithm=a3c: divides the environments among workers; the nearest is "
    "collect=steps",
    "algorithm=a3c baseline=mean": "algorithm=a3c: needs a critic, which is V(s); the nearest is baseline=value",
    "baseline=shared_value normalization=none": "baseline=shared_value: V(s) and the policy are trained together, as "
    "by algorithm=a2c or ppo; the nearest is baseline=value",
    "algorithm=ppo baseline=shared_value policy=linear": "baseline=shared_value: shares the hidden layers of "
    "policy=mlp, gru or cnn, and this policy has none of that kind; the nearest is baseline=value",
    "algorithm=a2c collect.num_envs=0": "collect.num_envs=0: expected a whole number at least 1; the nearest is 1",
}


@pytest.mark.parametrize("overrides", REFUSED)
def test_options_that_do_not_fit_are_refused_in_one_line_with_the_nearest_that_do(overrides):
    with pytest.raises(UserError) as caught:
        check(composed(*overrides.split()))
    assert REFUSED[overrides] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_of_another_algorithm_is_named_with_the_algorithm_that_has_it(train_here):
    done = train_here("algorithm=ppo", "algorithm.log_probs=stored", "device=cpu")
    assert done.code == 1
    assert done.err == "error: algorithm.log_probs: no such key with algorithm=ppo; choose algorithm=reinforce for it\n"
