"""repath-model: an on-device waste detector, from a municipality's taxonomy to a verified release.

    pack -> taxonomy -> benchmark manifest -> labeled rows -> retraining manifest -> annotation bundle
                              |  (coverage)    (suggest, normalise, dedupe)             | (validate)
                              v                                                         v
                        resolved manifest --> benchmark results <-- candidate <-- train, export
                                                    |
                                        comparison, verdict --> report
                                                    |
                                        promote -> release bundle -> verify

Every arrow is a file with a published contract (`pipeline.contracts`, JSON Schemas in docs/schemas). A stage
is a function from contracts to contracts; reading, writing, parsing flags and printing happen at the edge
(`pipeline.cli`, `pipeline.support`). The rooms `data`, `evaluation`, `training` and `release` do not import
each other: they meet in contracts, and `pipeline.lifecycle` runs them one after another.
`pipeline.notebooks` is a second edge, for the notebooks.
"""

__version__ = "0.1.0"
