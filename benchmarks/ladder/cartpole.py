"""The ladder on CartPole, and A3C with gradients of different ages."""

from __future__ import annotations

from benchmarks.ladder.rungs import Ladder, Rung

FINDINGS = (
    "- Leaving out the rewards before an action has the largest effect: with them one seed of 16 is solved.",
    "- Subtracting the mean of the other episodes halves the steps. The learned V(s) is not better here. A likely "
    "reason: V(s) has to be learned first, and all states of a good episode of CartPole have similar values.",
    "- Bootstrapping (numbers 5 to 7) is slower on CartPole than whole returns with a baseline. A likely reason: "
    "its rewards are not noisy, so there is little variance to remove, and V(s) lags behind a policy that improves. "
    "Its advantage is that gradient steps do not wait for the end of an episode.",
    "- Normalising advantages makes no difference that 16 seeds can show. Adam, and clipping by the norm, already "
    "remove the scale of the gradient from a step.",
    "- PPO's further passes over the same data make up for this: every seed is solved, within the narrowest "
    "range of steps.",
)
EPISODES = ("collect.episodes=4",)
CRITIC = ("returns=gae", "baseline=value", "baseline.hidden=64", "baseline.layers=2", "baseline.activation=tanh")
FRAGMENTS = ("collect=steps", "collect.num_envs=8", "collect.num_steps=32")
TOGETHER = (*CRITIC, "baseline.learning_rate=null", "normalization=advantages", *FRAGMENTS)

CARTPOLE = Ladder(
    name="cartpole",
    title="CartPole",
    experiment="ladder_cartpole",
    threshold=475.0,
    window=25,
    returns=(0, 510),
    learning_rates=(0.001, 0.003, 0.01),
    trial_seeds=range(1000, 1008),
    shown_seeds=range(16),
    introduction="The learning rate of each is the best of 0.001, 0.003, 0.01, chosen with 8 seeds that are not shown. "
    "The results are those of 16 other seeds.",
    findings=FINDINGS,
    rungs=(
        Rung(
            "trajectory",
            "the whole return",
            EPISODES,
            "Every action of an episode is weighted with all rewards of the episode, including those before it. The "
            "estimate is unbiased and has a large variance.",
        ),
        Rung(
            "reward_to_go",
            "reward-to-go",
            (*EPISODES, "returns=reward_to_go"),
            "An action cannot change earlier rewards. They have the mean 0 in the gradient and add only variance, so "
            "they are left out.",
        ),
        Rung(
            "baseline",
            "a baseline",
            (*EPISODES, "returns=reward_to_go", "baseline=leave_one_out"),
            "All returns of CartPole are positive, so every action is made more probable, and better actions only a "
            "little more. Subtracting the mean return of the batch's other episodes leaves the difference, "
            "without a bias.",
        ),
        Rung(
            "value",
            "a learned V(s)",
            (*EPISODES, "returns=reward_to_go", *CRITIC[1:]),
            "A baseline that depends on the state also subtracts the part of the return that the state explains: late "
            "steps of an episode have small returns with every action.",
        ),
        Rung(
            "actor_critic",
            "actor-critic",
            (*EPISODES, *CRITIC),
            "V(s) also replaces the later rewards of a return: generalised advantage estimates with λ = 0.95. The "
            "variance is lower, and there is a bias where V(s) is wrong.",
        ),
        Rung(
            "normalised",
            "normalised advantages",
            (*EPISODES, *CRITIC, "normalization=advantages"),
            "Mean 0 and standard deviation 1 in every batch, so that the size of a step does not depend on the scale "
            "of the returns, which grows by a factor of about 20 while CartPole is learned.",
        ),
        Rung(
            "a2c",
            "fragments (A2C)",
            ("algorithm=a2c", *TOGETHER),
            "A batch does not wait for the end of an episode: there is a gradient step after every 32 steps of 8 "
            "environments, with V(s) in place of later rewards. It is one step for policy and V(s) together.",
        ),
        Rung(
            "ppo",
            "mini-batches and clipping (PPO)",
            (
                "algorithm=ppo",
                *TOGETHER,
                "normalization.advantages=minibatch",
                "algorithm.epochs=4",
                "algorithm.num_minibatches=4",
                "algorithm.entropy_bonus=0",
            ),
            "Each batch is used in 4 passes of 4 mini-batches. The clipped objective keeps the policy close to the "
            "one that collected the batch.",
        ),
    ),
)

STALENESS = (0, 8, 32, 128)  # of A3C's first worker, in updates
STALE_LEARNING_RATES = (0.0003, 0.001)  # lower, as there are eight gradient steps where A2C has one
STALE_FINDING = (
    "Up to 128 updates of additional age make no difference that 16 seeds can show. With eight small gradient "
    "steps, each from 32 steps of a single environment, fewer seeds are solved than with number 7."
)
