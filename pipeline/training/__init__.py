"""Retraining manifest, annotation bundle, split, training, export and promotion."""
