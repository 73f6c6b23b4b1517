"""What our HTML pages have in common: how they look, and how names from data are shown."""
