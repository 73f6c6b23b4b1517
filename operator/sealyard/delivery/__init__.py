"""What carries parts and manifests to the two stores and back. No cryptography of its own."""
