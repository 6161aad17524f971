"""The tricks on each environment. The first setting has none, and each of the others adds one."""

from __future__ import annotations

from benchmarks.ladder.rungs import Ladder, Rung

CARTPOLE_TRICKS = {
    "none": ("none of them", ()),
    "observations": ("observations normalised", ("normalization.observations=running",)),
    "rewards": ("rewards normalised", ("normalization.rewards=running",)),
    "layer": ("layer norm", ("policy.norm=layer",)),
    "batch": ("batch norm", ("policy.norm=batch",)),
    "torch": ("initialisation: torch", ("policy.initialisation=torch",)),
    "xavier": ("initialisation: Xavier", ("policy.initialisation=xavier",)),
    "dropout_20": ("dropout 0.2", ("policy.dropout=0.2",)),
    "dropout_50": ("dropout 0.5", ("policy.dropout=0.5",)),
    "decay_small": ("weight decay 0.0001", ("optimizer.weight_decay=1e-4",)),
    "decay": ("weight decay 0.01", ("optimizer.weight_decay=1e-2",)),
}  # by name: title, and overrides

CARTPOLE = Ladder(
    name="cartpole",
    title="CartPole",
    experiment="ladder_cartpole",
    threshold=475.0,
    window=25,
    returns=(0, 510),
    learning_rates=(0.01,),  # the best of the ladder's for the setting without tricks
    trial_seeds=range(0),
    shown_seeds=range(16),
    introduction="",
    findings=(),
    rungs=tuple(Rung(name, title, overrides, "") for name, (title, overrides) in CARTPOLE_TRICKS.items()),
    common=("collect.episodes=4", "returns=reward_to_go", "baseline=leave_one_out"),
)

PPO_TRICKS = {
    "none": ("none of them", ()),
    "observations": ("observations normalised", ("normalization.observations=running",)),
    "rewards": ("rewards normalised", ("normalization.rewards=running",)),
    "both": ("both normalised", ("normalization=running",)),
    "layer": ("layer norm", ("policy.norm=layer",)),
    "batch": ("batch norm", ("policy.norm=batch",)),
    "torch": ("initialisation: torch", ("policy.initialisation=torch", "baseline.initialisation=torch")),
    "dropout_20": ("dropout 0.2", ("policy.dropout=0.2",)),
    "decay": ("weight decay 0.01", ("optimizer.weight_decay=1e-2",)),
}

PENDULUM = Ladder(
    name="pendulum",
    title="Pendulum",
    experiment="ppo_pendulum",
    threshold=float("inf"),
    window=100,
    returns=(-1400, -100),
    learning_rates=(0.001,),
    trial_seeds=range(0),
    shown_seeds=range(10),
    introduction="",
    findings=(),
    rungs=tuple(Rung(name, title, overrides, "") for name, (title, overrides) in PPO_TRICKS.items()),
    common=("collect.num_steps=256", "algorithm.num_minibatches=4"),
)

HALFCHEETAH = Ladder(
    name="halfcheetah",
    title="HalfCheetah",
    experiment="ppo_halfcheetah",
    threshold=float("inf"),
    window=10,
    returns=(-300, 500),
    learning_rates=(0.0003,),
    trial_seeds=range(0),
    shown_seeds=range(10),
    introduction="",
    findings=(),
    rungs=tuple(Rung(name, title, overrides, "") for name, (title, overrides) in PPO_TRICKS.items()),
    common=(
        *("policy.initial_std=0.6", "baseline.hidden=64", "normalization=advantages"),
        *("env.window=10", "env.max_steps=100000"),
    ),
)

ENVIRONMENTS = (CARTPOLE, PENDULUM, HALFCHEETAH)
