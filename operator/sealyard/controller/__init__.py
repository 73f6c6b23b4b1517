"""The shell around the core: watches, caches, the work queue, writes, and the progress endpoint."""
