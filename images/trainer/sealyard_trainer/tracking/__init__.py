"""What a training tells the tools that people have already. Nothing depends on it.

`event_format` and `mlflow_plan` decide what is said; `event_file` and `mlflow_tracker` say it.
"""
