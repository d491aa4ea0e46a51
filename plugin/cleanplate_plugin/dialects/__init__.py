"""How each host means the numbers of an OTIO file: one module each, all behind ``base.Dialect``."""
