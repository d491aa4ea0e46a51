"""What is compared with the published networks' own outputs: one module for each folder of parity cases.

A module ``NAME.py`` has one function, ``compare_all(case: CaseFolder) -> Iterator[Compared]``: it builds the network,
loads the case's entries strictly, runs what the case describes and compares every array. ``tests/parity.py NAME
CASE_DIR`` prints what it finds.
"""
