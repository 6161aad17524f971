"""The plain loop that readers of "Pong from Pixels" know: one environment, NumPy, a dense product per step."""

from __future__ import annotations

import time

import ale_py
import gymnasium
import numpy as np

HIDDEN, EPISODES, DISCOUNT, LEARNING_RATE, DECAY = 200, 10, 0.99, 1e-4, 0.99
UP, DOWN = 2, 3


def preprocess(frame: np.ndarray) -> np.ndarray:
    """A colour frame [210, 160, 3] to a vector of 6,400 zeros and ones."""
    cropped = frame[35:195:2, ::2, 0].copy()
    cropped[(cropped == 144) | (cropped == 109)] = 0
    return (cropped != 0).astype(np.float64).ravel()


class PlainLearner:
    """Two layers, their gradient by hand, and RMSProp over batches of episodes."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.weights = [rng.standard_normal((HIDDEN, 6400)) / 80, rng.standard_normal(HIDDEN) / np.sqrt(HIDDEN)]
        self.gradients = [np.zeros_like(w) for w in self.weights]
        self.squares = [np.zeros_like(w) for w in self.weights]

    def act(self, x: np.ndarray) -> tuple[int, np.ndarray, float]:
        """The action, the hidden units, and the gradient of its log-probability by the logit."""
        hidden = np.maximum(self.weights[0] @ x, 0)
        up = 1 / (1 + np.exp(-self.weights[1] @ hidden))
        action = int(self.rng.random() < up)
        return action, hidden, action - up

    def learn_from(self, seen: list[np.ndarray], hidden: list[np.ndarray], by_logit: list[float], rewards: list[float]):
        """Add an episode's gradient."""
        returns, running = np.zeros(len(rewards)), 0.0
        for t in reversed(range(len(rewards))):
            running = rewards[t] if rewards[t] else DISCOUNT * running
            returns[t] = running
        returns = (returns - returns.mean()) / returns.std()
        weighted = np.array(by_logit) * returns
        units = np.stack(hidden)
        self.gradients[1] += units.T @ weighted
        self.gradients[0] += ((weighted[:, None] * self.weights[1]) * (units > 0)).T @ np.stack(seen)

    def step(self) -> None:
        """Follow the gradients of the batch."""
        for weight, gradient, square in zip(self.weights, self.gradients, self.squares, strict=True):
            square[:] = DECAY * square + (1 - DECAY) * gradient**2
            weight += LEARNING_RATE * gradient / (np.sqrt(square) + 1e-5)
            gradient[:] = 0


def plain_steps_per_second(seed: int, seconds: float) -> float:
    """Train for so long."""
    gymnasium.register_envs(ale_py)
    env = gymnasium.make("ALE/Pong-v5", frameskip=4, repeat_action_probability=0.0)
    learner = PlainLearner(np.random.default_rng(seed))
    steps, episodes, started = 0, 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        steps += plain_episode(env, learner, seed + episodes)
        episodes += 1
        if episodes % EPISODES == 0:
            learner.step()
    return steps / elapsed


def plain_episode(env: gymnasium.Env, learner: PlainLearner, seed: int) -> int:
    """One episode, learned from. Returns its steps."""
    seen, units, by_logit, rewards, done = [], [], [], [], False
    frame, _ = env.reset(seed=seed)
    before = None
    while not done:
        now = preprocess(frame)
        x = np.zeros_like(now) if before is None else now - before
        before = now
        action, hidden, gradient = learner.act(x)
        frame, reward, terminated, truncated, _ = env.step(UP if action else DOWN)
        seen.append(x)
        units.append(hidden)
        by_logit.append(gradient)
        rewards.append(float(reward))
        done = terminated or truncated
    learner.learn_from(seen, units, by_logit, rewards)
    return len(rewards)
