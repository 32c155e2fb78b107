def simplify(g): return g
