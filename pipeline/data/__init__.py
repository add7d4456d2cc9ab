"""From a pack to curated rows: taxonomy, suggestions, normalisation, deduplication."""
