"""The main job, shown: from YAML to an opened model on the embedded cluster."""
