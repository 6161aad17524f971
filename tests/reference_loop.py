"""A naive PyTorch loop over one seed, which updates are compared with.

The loop shares nothing with the project's mathematics: it is made of `torch.nn.Linear`, `torch.distributions`,
`torch.optim` and Python's loops, in float64. It replays the observations, actions, rewards, ends and dropout masks of
the run's collector.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical

from pg_experiments.run.run import Run
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.stacked import StackedMLP

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "leaky_relu": nn.functional.leaky_relu}


@dataclasses.dataclass
class Episode:
    """One episode of one seed, as the collector recorded it."""

    observations: Tensor  # [T, D]
    actions: Tensor  # [T]
    rewards: list[float]
    return_ends: list[bool]  # a return ends with this step, though the column may go on
    is_cut_off: bool  # truncated and not terminated
    final_observation: Tensor  # [D]
    masks: list[Tensor] | None  # of each hidden layer, [T, H]


def episodes_of(rollout: Rollout, r: int) -> list[Episode]:
    """The episodes of the r-th learner of a rollout."""
    episodes = []
    for e in range(rollout.mask.shape[2]):
        T = int(rollout.mask[:, r, e].sum())
        masks = None if rollout.dropout_masks is None else rollout.dropout_masks[:T, r, e].double().unbind(1)
        ends = [False] * T if rollout.return_ends is None else rollout.return_ends[:T, r, e].tolist()
        cut_off = bool(rollout.truncated[T - 1, r, e]) and not bool(rollout.terminated[T - 1, r, e])
        episodes.append(
            Episode(
                rollout.observations[:T, r, e].double(),
                rollout.actions[:T, r, e],
                rollout.rewards[:T, r, e].tolist(),
                ends,
                cut_off,
                rollout.finals.observations[r, e].double(),
                None if masks is None else list(masks),
            )
        )
    return episodes


class Perceptron(nn.Module):
    """A plain perceptron with the parameters of one learner of a stacked one."""

    def __init__(self, stacked: StackedMLP, learner: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.activation, self.dropout = ACTIVATIONS[activation], dropout
        for index, weights in enumerate(stacked.weights):
            layer = nn.Linear(*weights.shape[1:], bias=stacked.biases is not None, dtype=torch.float64)
            layer.weight.data = weights.detach()[learner].T.double()
            if stacked.biases is not None:
                layer.bias.data = stacked.biases[index].detach()[learner, 0].double()
            self.layers.append(layer)

    def forward(self, x: Tensor, masks: list[Tensor] | None = None) -> Tensor:
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index < len(self.layers) - 1:
                if masks is not None:
                    x = x * masks[index] / (1 - self.dropout)
                x = self.activation(x)
        return x


class Reference:
    """REINFORCE for one seed, written out."""

    def __init__(self, config: dict[str, Any], run: Run, learner: int) -> None:
        self.config = config
        policy, baseline = config["policy"], config["baseline"]
        activation, dropout = policy.get("activation", "relu"), policy.get("dropout", 0.0)
        self.policy = Perceptron(run.agent.policy.network, learner, activation, dropout)
        self.optimizer = make_optimizer(config["optimizer"], self.policy.parameters())
        self.value: Perceptron | None = None
        if baseline["name"] == "value":
            self.value = Perceptron(run.agent.baseline.network, learner, baseline["activation"], 0.0)
            self.value_optimizer = torch.optim.Adam(self.value.parameters(), lr=baseline["learning_rate"])
        self.batch_means: list[float] = []
        self.episodes_done, self.steps_done = 0, 0
        self.gradients: dict[str, dict[str, Tensor]] = {}  # of the last update, before clipping
        self.columns: dict[str, float] = {}  # of metrics.csv, likewise

    def update(self, batch: list[Episode]) -> None:
        """One update of policy and value network."""
        returns = self.normalized_returns([self.returns_of(episode) for episode in batch])
        advantages = self.advantages_of(batch, returns)
        self.policy_step(batch, advantages)
        if self.value is not None:
            self.value_steps(batch, returns)
        every_return = torch.cat(returns)
        self.batch_means.append(float(every_return.mean()))
        self.episodes_done += len(batch)
        self.steps_done += len(every_return)

    def returns_of(self, episode: Episode) -> Tensor:
        discount = self.config["algorithm"]["discount"]
        following = 0.0
        if episode.is_cut_off and self.value is not None and self.config["baseline"]["bootstrap"]:
            following = self.value(episode.final_observation).item()
        returns = [0.0] * len(episode.rewards)
        for t in reversed(range(len(returns))):
            if episode.return_ends[t]:
                following = 0.0
            following = returns[t] = episode.rewards[t] + discount * following
        if self.config["returns"]["name"] == "trajectory":
            for t in range(1, len(returns)):
                if not episode.return_ends[t - 1]:
                    returns[t] = returns[t - 1]
        return torch.tensor(returns, dtype=torch.float64)

    def normalized_returns(self, returns: list[Tensor]) -> list[Tensor]:
        if self.config["normalization"]["returns"] == "none":
            return returns
        if self.config["normalization"]["returns"] == "batch":
            together = torch.cat(returns)
            return [(of_episode - together.mean()) / together.std() for of_episode in returns]
        return [(of_episode - of_episode.mean()) / of_episode.std() for of_episode in returns]

    def advantages_of(self, batch: list[Episode], returns: list[Tensor]) -> list[Tensor]:
        name = self.config["baseline"]["name"]
        baselines = [torch.zeros_like(of_episode) for of_episode in returns]
        if name == "mean":
            baselines = [torch.full_like(of_episode, float(torch.cat(returns).mean())) for of_episode in returns]
        elif name == "moving_average" and self.batch_means:
            decay, average = self.config["baseline"]["decay"], 0.0
            for mean in self.batch_means:
                average = decay * average + (1 - decay) * mean
            average /= 1 - decay ** len(self.batch_means)
            baselines = [torch.full_like(of_episode, average) for of_episode in returns]
        elif name in ("leave_one_out", "time_dependent", "optimal"):
            for own in range(len(batch)):
                others = [pair for i, pair in enumerate(zip(batch, returns, strict=True)) if i != own]
                baselines[own] = getattr(self, name)(others, baselines[own])
        elif self.value is not None:
            baselines = [self.value(episode.observations).detach().squeeze(1) for episode in batch]
        advantages = [g - b for g, b in zip(returns, baselines, strict=True)]
        if self.config["normalization"]["advantages"] == "batch":
            together = torch.cat(advantages)
            advantages = [(of_episode - together.mean()) / together.std() for of_episode in advantages]
        if self.config["returns"]["name"] == "reward_to_go" and self.config["returns"]["exact_discount"]:
            advantages = [self.discounted(*pair) for pair in zip(batch, advantages, strict=True)]
        return advantages

    def leave_one_out(self, others: list[tuple[Episode, Tensor]], zeros: Tensor) -> Tensor:
        return zeros + torch.cat([of_episode for _, of_episode in others]).mean()

    def time_dependent(self, others: list[tuple[Episode, Tensor]], zeros: Tensor) -> Tensor:
        values = zeros.clone()
        for t in range(len(values)):
            at_t = [of_episode[t] for _, of_episode in others if t < len(of_episode)]
            values[t] = sum(at_t) / len(at_t) if at_t else 0.0
        return values

    def optimal(self, others: list[tuple[Episode, Tensor]], zeros: Tensor) -> Tensor:
        product = square = 0.0
        for episode, of_episode in others:
            log_probs = Categorical(logits=self.policy(episode.observations, episode.masks)).log_prob(episode.actions)
            parts = []
            for weights in (of_episode, torch.ones_like(of_episode)):
                total = (self.discounted(episode, weights) * log_probs).sum()
                gradients = torch.autograd.grad(total, list(self.policy.parameters()), retain_graph=True)
                parts.append(torch.cat([gradient.flatten() for gradient in gradients]))
            product, square = product + parts[0] @ parts[1], square + parts[1] @ parts[1]
        return zeros + product / square

    def discounted(self, episode: Episode, advantages: Tensor) -> Tensor:
        """Each advantage times γ to the number of steps since its return began."""
        weighted, steps = advantages.clone(), 0
        for t in range(len(weighted)):
            weighted[t] *= self.config["algorithm"]["discount"] ** steps
            steps = 0 if episode.return_ends[t] else steps + 1
        return weighted

    def policy_step(self, batch: list[Episode], advantages: list[Tensor]) -> None:
        algorithm = self.config["algorithm"]
        loss, entropy = torch.zeros(2, dtype=torch.float64)
        for episode, weights in zip(batch, advantages, strict=True):
            logits = self.policy(episode.observations, episode.masks)
            if self.config["policy"]["head"] == "bernoulli":
                distribution = Bernoulli(logits=logits.squeeze(1))
            else:
                distribution = Categorical(logits=logits)
            loss = loss - (weights * distribution.log_prob(episode.actions.to(logits.dtype))).sum()
            entropy = entropy + distribution.entropy().sum()
        loss = loss - algorithm["entropy_bonus"] * entropy
        if algorithm["reduction"] == "mean":
            loss = loss / len(batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.gradients["policy"] = stacked_form(self.policy, "grad")
        norm = norm_of(self.gradients["policy"])
        limit = self.config["optimizer"]["max_grad_norm"]
        if limit is not None and norm > limit:
            for parameter in self.policy.parameters():
                parameter.grad *= limit / norm
        learning_rate = self.config["optimizer"]["learning_rate"] * schedule(self.config, self.progress)
        self.optimizer.param_groups[0]["lr"] = learning_rate
        self.optimizer.step()
        self.columns |= {"policy_loss": loss.item(), "entropy": entropy.item() / sum(len(w) for w in advantages)}
        self.columns |= {"policy_gradient_norm": norm, "learning_rate": learning_rate}

    @property
    def progress(self) -> float:
        env = self.config["env"]
        return max(
            self.episodes_done / (env["max_episodes"] or math.inf), self.steps_done / (env["max_steps"] or math.inf)
        )

    def value_steps(self, batch: list[Episode], returns: list[Tensor]) -> None:
        assert self.value is not None
        for _ in range(self.config["baseline"]["steps"]):
            errors = [self.value(e.observations).squeeze(1) - g for e, g in zip(batch, returns, strict=True)]
            loss = torch.cat(errors).square().mean()
            self.value_optimizer.zero_grad()
            loss.backward()
            self.value_optimizer.step()
            self.gradients["baseline"] = stacked_form(self.value, "grad")
            self.columns |= {"value_loss": loss.item(), "value_gradient_norm": norm_of(self.gradients["baseline"])}


def make_optimizer(options: dict[str, Any], parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Of torch, with the settings of the group `optimizer`."""
    lr, decay = options["learning_rate"], options["weight_decay"]
    if options["name"] == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=options["momentum"], weight_decay=decay)
    if options["name"] == "rmsprop":
        rest = {"alpha": options["decay"], "eps": options["epsilon"], "momentum": options["momentum"]}
        return torch.optim.RMSprop(parameters, lr=lr, weight_decay=decay, **rest)
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[options["name"]]
    betas = (options["beta1"], options["beta2"])
    return make(parameters, lr=lr, betas=betas, eps=options["epsilon"], weight_decay=decay)


def schedule(config: dict[str, Any], progress: float) -> float:
    """The factor of the learning rate at a fraction of the run."""
    last = config["optimizer"]["final_fraction"]
    return {
        "constant": 1.0,
        "linear": 1 + (last - 1) * progress,
        "cosine": last + (1 - last) * math.cos(math.pi * progress / 2) ** 2,
        "exponential": math.exp(progress * math.log(last)),
    }[config["optimizer"]["schedule"]]


def stacked_form(network: Perceptron, attribute: str) -> dict[str, Tensor]:
    """Data or gradients by the names and in the shapes of a stacked perceptron's parameters."""
    named = {}
    for index, layer in enumerate(network.layers):
        named[f"network.weights.{index}"] = getattr(layer.weight, attribute).T.clone()
        if layer.bias is not None:
            named[f"network.biases.{index}"] = getattr(layer.bias, attribute)[None].clone()
    return named


def norm_of(tensors: dict[str, Tensor]) -> float:
    return math.sqrt(sum(float(tensor.square().sum()) for tensor in tensors.values()))


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor], what: str) -> None:
    """The distance of the two is at most 1e-5 of their length, all tensors together."""
    assert ours.keys() == theirs.keys()
    distance = norm_of({name: ours[name].double() - tensor for name, tensor in theirs.items()})
    length = norm_of(theirs)
    assert distance <= 1e-5 * length, f"{what}: a distance of {distance:.3g}, where the length is {length:.3g}"
