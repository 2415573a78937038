"""Experiments: each a grid of runs, its analysis, its figure and its page. Nothing but wiring."""
