"""What a run has learned, played again: fresh episodes, what they say, and videos of them."""
