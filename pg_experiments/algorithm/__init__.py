"""The group `algorithm`: how a policy learns from a batch of experience."""
