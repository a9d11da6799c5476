"""Timings, never run as tests."""
