"""What brings up the embedded cluster, the stores and the demo on one machine."""
