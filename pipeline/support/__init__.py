"""Ground floor helpers: errors, atomic files, HTTP, images, progress, the workspace."""
