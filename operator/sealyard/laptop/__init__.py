"""The main job without a cluster: the operator's decisions, with processes in the place of pods."""
