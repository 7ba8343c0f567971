"""HTTP and sockets; knows no provider."""
