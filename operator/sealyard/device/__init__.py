"""A machine that may open releases: what it is, how its keys are kept, and what it runs."""
