"""Command-line application: composing with Hydra, help, error messages, resuming, sweeps and launchers."""
