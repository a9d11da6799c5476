"""Masks from points, boxes or words, without training: the engines of `sightline.prompts.ENGINES`."""
