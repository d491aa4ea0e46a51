"""Published networks, written anew from facts, and their weights; torch is imported in this package alone.

Every network is a plain ``nn.Module`` whose parts have the names of its published checkpoint, so that the entries load
strictly and without renaming. What a network remembers from frame to frame goes in and comes out as a dataclass.
``python tests/parity.py NAME CASE_DIR`` compares each with the published one's own outputs.
"""
