"""Editing programs: one module for each, behind ``protocol.Host``."""
