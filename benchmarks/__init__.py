"""What Sealyard must be faster than: ratios to other programs, measured side by side in one run."""
