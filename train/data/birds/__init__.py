"""Drawn birds: a picture is a function of what is said about a bird and of 26 normal numbers."""
