"""What people annotate, as messages, as records of what became of them, and as a dataset.

Nothing here does I/O, except `broker` and `publisher`, which only those import who publish or file.
"""
