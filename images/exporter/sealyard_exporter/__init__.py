"""Exports a trained model and proves that the export computes what the checkpoint computes.

Ultralytics is AGPL-3.0; it is imported here and in the trainer only.
"""
