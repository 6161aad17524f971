"""Scripts that compare both sides in one run, print a table, and end with the number."""
