"""What the API server and the operator would say of a file, said without either."""
