"""Measures of features, of segmentations, and what a difference between them is worth. Imports no torch."""
