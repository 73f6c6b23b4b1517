"""The files of the signed index: what may be put where. Signatures are for clients to judge."""
