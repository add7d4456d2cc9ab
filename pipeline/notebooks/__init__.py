"""What the notebooks use: the workspace with its stages, tables, pictures and live curves.

A notebook is an edge as the command line is: it calls the same functions and shows what they return. Where
the lifecycle is concerned it runs the stages of `repath run`, with the same journal, so that a notebook and
the command line may take turns on one workspace. `space` opens it, `tables` and `pictures` show it, `live`
follows a training, `publication` plans a release.
"""
