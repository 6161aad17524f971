"""The training run: loop, config, episode accounts, health checks, checkpoints and tracking."""
