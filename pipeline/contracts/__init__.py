"""What each file says: typed, validated, no input or output."""
