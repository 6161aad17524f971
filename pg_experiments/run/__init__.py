"""The run and its loop: config, accounts, health, checkpoints and tracking."""
