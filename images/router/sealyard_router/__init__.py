"""The router: takes annotations from a stream and files them, each exactly once."""
