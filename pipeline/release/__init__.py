"""Release bundle and its verification."""
