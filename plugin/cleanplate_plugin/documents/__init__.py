"""Timeline files, each opened, edited in place and saved as the kind of file that it is."""
