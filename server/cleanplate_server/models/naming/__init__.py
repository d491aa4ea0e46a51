"""Words for things: a list of names in English and Chinese, colours, and what a person's words mean by them."""
