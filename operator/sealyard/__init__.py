"""Sealyard: trains detection models, seals them, and lets only authorised hardware open them."""
