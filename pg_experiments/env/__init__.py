"""The group `env`: what is acted in, when it is solved, and how long one may try."""

from pg_experiments.env.gymnasium import GymnasiumEnv, sizes

__all__ = ["OPTIONS", "GymnasiumEnv", "sizes"]

OPTIONS: dict[str, type] = {"gymnasium": GymnasiumEnv}
