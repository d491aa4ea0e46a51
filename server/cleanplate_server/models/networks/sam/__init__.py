"""The Segment Anything family: what is asked of its networks, the networks, and the engines around them."""
