"""What crosses a boundary: the kinds, their conditions, and the task and answer of each Job.

The pydantic models here are the single source: `make generate` writes `crds/*.yaml` from them, the
operator reads custom resources through them, and every Job is handed one and answers with one.
"""
