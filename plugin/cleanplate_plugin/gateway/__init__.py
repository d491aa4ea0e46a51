"""The HTTP/JSON form of the server on the loopback, for hosts that cannot speak gRPC, and the page where one clicks."""
