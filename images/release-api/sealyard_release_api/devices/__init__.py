"""Devices: which are registered, how one logs in with its key, what it says that it runs."""
