"""The group `algorithm`: how a policy learns from a batch of experience."""

from pg_experiments.algorithm.reinforce import Reinforce

OPTIONS: dict[str, type] = {"reinforce": Reinforce}
