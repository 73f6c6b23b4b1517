"""The courier: the only program that holds keys and reaches the stores."""
