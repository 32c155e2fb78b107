"""The runtime: machine code in this process.

Reading order: `jit`, `executable`, `runner`, `workers`, `engine`, `cache`, `interpreted`.
"""
