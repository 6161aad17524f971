"""The ladder on Pong from pixels."""

from __future__ import annotations

from benchmarks.ladder.rungs import Ladder, Rung

GAMES = ("collect.episodes=8",)
UNDISCOUNTED = (*GAMES, "returns=reward_to_go")
DISCOUNTED = (*UNDISCOUNTED, "algorithm.discount=0.99")
POINTS = ("algorithm.discount=0.99", "env.return_ends=point")
OF_POINTS = (*UNDISCOUNTED, *POINTS)
SHARED_LAYER = ("baseline=shared_value", "normalization=advantages")
TWO_NETWORKS = ("baseline=value", "normalization=advantages", "returns=gae")

FINDINGS = (
    "- With the whole return, or all later points of the game, nothing is learned: most points of a game have "
    "nothing to do with an action, and their sum is noise.",
    "- A discount, and returns that end with the point, leave the points that an action can have caused. That alone is "
    "not enough: two of three seeds are at -19 and the third is at -21.",
    "- Normalising is what makes REINFORCE learn Pong: without it nearly all returns are negative, and every action is "
    "made less probable. `env=pong`, which adds smaller batches of points, is at 0 after 1.2 to 1.4 million steps "
    "([Pong](pong.md)).",
    "- A2C makes some twenty gradient steps where REINFORCE makes one. One seed of three is at 0 in time.",
    "- PPO uses each batch twelve times, and all seeds are at 0 after 0.47 to 0.59 million steps.",
)

PONG = Ladder(
    name="pong",
    title="Pong from pixels",
    experiment="ladder_pong",
    threshold=0.0,
    window=100,
    returns=(-21.5, 1.5),
    learning_rates=(0.003,),
    trial_seeds=range(0),
    shown_seeds=range(3),
    introduction="Learning rates are those that env=pong has for REINFORCE and for actor-critics; they were not "
    "searched for each number. Three seeds each.",
    findings=FINDINGS,
    rungs=(
        Rung(
            "trajectory",
            "the whole return",
            GAMES,
            "Every action of a game is weighted with the difference of points of the whole game, some 1,200 steps.",
        ),
        Rung(
            "reward_to_go",
            "reward-to-go",
            UNDISCOUNTED,
            "The points before an action are left out.",
        ),
        Rung(
            "discounted",
            "a discount",
            DISCOUNTED,
            "With γ = 0.99 a point counts for the actions of the 100 steps or so before it, and no longer for those at "
            "the beginning of the game. This is a bias, for much less variance.",
        ),
        Rung(
            "points",
            "returns that end with a point",
            OF_POINTS,
            "After a point the ball is served anew, so what comes later says nothing about the actions before "
            "the point.",
        ),
        Rung(
            "normalised",
            "normalised returns",
            (*OF_POINTS, "normalization=returns", "normalization.returns=batch"),
            "Nearly all points are lost at first, so nearly all returns are negative. Minus their mean, and divided by "
            "their standard deviation, the actions before a point that was won stand out.",
        ),
        Rung(
            "a2c",
            "actor-critic on fragments (A2C)",
            (
                "algorithm=a2c",
                "collect=steps",
                "collect.num_envs=16",
                "collect.num_steps=32",
                "optimizer=adam",
                "returns=gae",
                *SHARED_LAYER,
                *POINTS,
            ),
            "V(s) on the policy's layer is the baseline, and replaces the later rewards of 32 steps of 16 games. There "
            "is a gradient step after every 512 steps, where a batch of 8 games has some 10,000.",
            (0.001,),
        ),
        Rung(
            "ppo",
            "mini-batches and clipping (PPO)",
            ("algorithm=ppo", "collect=steps", *TWO_NETWORKS, *POINTS),
            "Fragments of 128 steps of 16 games, used in 3 passes of 4 mini-batches. V(s) has a network of its own.",
            (0.001,),
        ),
    ),
)
