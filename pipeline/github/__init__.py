"""The one place that knows GitHub: releases, one comment on a pull request, and what event this is."""
