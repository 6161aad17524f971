"""From the files that runs leave to a statement that a reader can trust."""
