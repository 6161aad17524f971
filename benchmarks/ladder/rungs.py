"""The rungs: each changes one choice of the one below it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """A configuration, and the text about it on the page."""

    name: str
    title: str
    overrides: tuple[str, ...]  # beside the experiment's
    words: str


@dataclass(frozen=True)
class Ladder:
    """The rungs on one environment."""

    name: str
    experiment: str
    threshold: float
    learning_rates: tuple[float, ...]  # of which each rung has its best
    rungs: tuple[Rung, ...]


EPISODES = ("collect.episodes=4",)
CRITIC = ("returns=gae", "baseline=value", "baseline.hidden=64", "baseline.layers=2", "baseline.activation=tanh")
FRAGMENTS = ("collect=steps", "collect.num_envs=8", "collect.num_steps=32")
TOGETHER = (*CRITIC, "baseline.learning_rate=null", "normalization=advantages", *FRAGMENTS)

CARTPOLE = Ladder(
    name="cartpole",
    experiment="ladder_cartpole",
    threshold=475.0,
    learning_rates=(0.001, 0.003, 0.01),
    rungs=(
        Rung(
            "trajectory",
            "the whole return",
            EPISODES,
            "Every action of an episode is credited with all of the episode's rewards, also with those that "
            "came before it. The estimate is unbiased, and most of it is noise.",
        ),
        Rung(
            "reward_to_go",
            "reward-to-go",
            (*EPISODES, "returns=reward_to_go"),
            "An action cannot change the rewards before it. They have mean 0 in the gradient and only add "
            "variance, so they are left out.",
        ),
        Rung(
            "baseline",
            "a baseline",
            (*EPISODES, "returns=reward_to_go", "baseline=leave_one_out"),
            "All returns of CartPole are positive, so every action is made more probable, the better ones by a "
            "little more. Subtracting the mean return of the batch's other episodes leaves the difference, "
            "without a bias.",
        ),
        Rung(
            "value",
            "a learned V(s)",
            (*EPISODES, "returns=reward_to_go", *CRITIC[1:]),
            "A baseline that knows the state also subtracts what the state explains: late steps of an episode "
            "have small returns whatever is done there.",
        ),
        Rung(
            "actor_critic",
            "actor-critic",
            (*EPISODES, *CRITIC),
            "V(s) does not only stand beside the return, it replaces its tail: generalised advantage estimates, "
            "λ = 0.95. Less variance again, for a bias where V(s) is wrong.",
        ),
        Rung(
            "normalised",
            "normalised advantages",
            (*EPISODES, *CRITIC, "normalization=advantages"),
            "Mean 0 and deviation 1 in every batch, so that the size of a step does not depend on the scale of "
            "the returns, which grows a hundredfold while CartPole is learned.",
        ),
        Rung(
            "a2c",
            "fragments (A2C)",
            ("algorithm=a2c", *TOGETHER),
            "Nothing waits for the end of an episode: every 32 steps of 8 environments there is a gradient "
            "step, and V(s) stands for what comes after. Policy and V(s) take it together.",
        ),
        Rung(
            "ppo",
            "mini-batches and clipping (PPO)",
            (
                "algorithm=ppo",
                *TOGETHER,
                "normalization.over=minibatch",
                "algorithm.epochs=4",
                "algorithm.num_minibatches=4",
                "algorithm.entropy_bonus=0",
            ),
            "The same data is learned from in 4 passes of 4 mini-batches; the clipped objective keeps the "
            "policy near the one that collected it.",
        ),
    ),
)

LADDERS = {ladder.name: ladder for ladder in (CARTPOLE,)}
STALENESS = (0, 8, 32, 128)  # of A3C's first worker, in updates
STALE_LEARNING_RATES = (0.0003, 0.001)  # lower, as there are eight gradient steps where A2C has one

FINDINGS = (
    "- Leaving out the rewards before an action is what takes CartPole from unsolved to solved.",
    "- Subtracting the mean of the other episodes halves the steps. The learned V(s) is not better here: V(s) "
    "has to be learned first, and every state of a good episode of CartPole is worth nearly the same.",
    "- Bootstrapping (rungs 5 to 7) is slower on CartPole than whole returns with a baseline. A likely reason: "
    "its rewards are not noisy, so there is little variance to save, and V(s) lags behind a policy that gets "
    "better. What it buys is elsewhere: gradient steps before an episode has ended.",
    "- Normalising advantages changes nothing that 16 seeds could tell. Adam, and clipping by the norm, have "
    "already taken the scale out of a step.",
    "- PPO's further passes over the same data make up for that: every seed is solved, within the narrowest "
    "range of steps.",
)
STALE_FINDING = (
    "Up to 128 updates of additional age make no difference that 16 seeds could tell. What costs is the eight "
    "small gradient steps themselves, each from 32 steps of a single environment: fewer seeds are solved than "
    "by rung 7."
)
