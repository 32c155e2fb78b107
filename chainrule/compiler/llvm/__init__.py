"""LLVM text: `writer`, `arithmetic`, `vecmath`, `philox`, `microkernel`, `product`, then `emit`."""
