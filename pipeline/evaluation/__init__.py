"""Manifests, coverage, holdout, benchmark, metrics and comparison."""
