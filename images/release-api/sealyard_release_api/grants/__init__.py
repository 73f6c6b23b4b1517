"""Grants: which device holds a slot of which variant."""
