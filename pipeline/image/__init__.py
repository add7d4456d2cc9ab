"""Building, running and looking at the container image, and telling from inside whether it works."""
