"""Recipes: TOML files, each one configuration of a fit by name."""
