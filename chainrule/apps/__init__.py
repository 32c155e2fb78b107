"""The command line ``chainrule``.

Reading order: `cli` (the commands and their options), `train` (the digits recipe, from data to run folder), `runs`
(what a run folder holds), `inputs` (data named on the command line), `predict` (evaluate and predict), `show` (the
compiler's stages, printed), `profile` (where time goes), `inspect` (a network from inside), `report` (one page that
tells it all). Each command's module is imported when the command is chosen.
"""
