"""What the tricks around a policy gradient buy or cost: the measurements and figures of docs/tricks.md."""
