"""What makes commands of the project: composing with Hydra, help, mistakes, resuming, sweeps and launchers."""
