def merge_equal_nodes(g): return g
def drop_dead_nodes(g): return g
