"""The whole run on a workspace: stages, the journal that lets a run go on, and the engine between them."""
