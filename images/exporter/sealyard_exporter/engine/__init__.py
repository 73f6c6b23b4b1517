"""Engines of TensorRT and TensorRT for RTX: which GPU, built by what, put into a file, run.

`making` is imported after `work_offline`, because importing ultralytics reads the environment.
"""
