"""Trains a detection model with ultralytics, in as many attempts as it takes.

Ultralytics is AGPL-3.0; it is imported here and in the exporter only.
"""
