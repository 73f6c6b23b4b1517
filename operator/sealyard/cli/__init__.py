"""The `sealyard` command, for people and devices. The Jobs have programs of their own."""
