"""What the programs of all Jobs share: the task in, the answer and the exit code out."""
