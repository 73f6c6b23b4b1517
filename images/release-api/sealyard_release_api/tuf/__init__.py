"""The files of the signed index: what may be put where, and who must have signed it."""
