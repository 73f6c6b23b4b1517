"""A page of what was filed last: for whoever wants to see what a route takes in."""
