"""Statistical comparison of runs, from the files in their directories."""
