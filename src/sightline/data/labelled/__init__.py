"""Images with labels, or with none: listing, the stratified split, what a source holds."""
