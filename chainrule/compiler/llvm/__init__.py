"""LLVM text: `writer`, `arithmetic`, `vecmath`, `philox`, then `emit` and `microkernel`."""
