"""The signed index, by The Update Framework: the side that signs, and the side that believes."""
