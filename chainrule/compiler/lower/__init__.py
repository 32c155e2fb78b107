"""From nodes to the body of a kernel: `body`."""
