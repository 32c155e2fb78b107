"""The compiler, from a graph to scheduled kernels and LLVM text.

Reading order: `pipeline`, `simplify`, `cleanup`, `fuse`, `kernel`, `schedule`, `memory`, `target`,
then `lower` and `llvm`.
"""
