"""The updater of `sealyard device run`: `decide` is its pure core, `follow` acts."""
