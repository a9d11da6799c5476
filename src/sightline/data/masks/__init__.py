"""Images with masks: listing, palettes, splits by scenes and their leaks, mask files in and out."""
