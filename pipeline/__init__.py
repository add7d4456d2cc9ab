"""repath-model: an on-device waste detector, from a municipality's taxonomy to a verified release.

    pack -> taxonomy -> benchmark manifest -> labeled rows -> retraining manifest -> annotation bundle
                              |  (coverage)    (suggest, normalise, dedupe)             | (validate)
                              v                                                         v
                        resolved manifest --> benchmark results <-- candidate <-- train, export
                                                    |
                                        comparison, verdict --> report
                                                    |
                                        promote -> release bundle -> verify

The loop closes: what the results show to be weak becomes the retraining queue, whose rows are merged into the
labeled rows and given pictures; what is found for the benchmark goes back into its manifest. A row that a
person changed wins over every command, and is told (`pipeline.support.renewal`,
`pipeline.support.retraining_queue` and `pipeline.evaluation.progress` say how it is known).

Every arrow is a file with a published contract (`pipeline.contracts`, JSON Schemas in docs/schemas). A stage
is a function from contracts to contracts; reading, writing, parsing flags and printing happen at the edge
(`pipeline.cli`, `pipeline.support`). The rooms `data`, `evaluation`, `training` and `release` do not import
each other: they meet in contracts, and `pipeline.lifecycle` runs them one after another.

A bundle's boxes come from people and their tools: `pipeline.training.seed` proposes them, `exchange` beside
it hands them to CVAT, Label Studio, COCO and YOLO and takes them back, and `review` shows them on one page.

`pipeline.notebooks` is a second edge, for the notebooks.
"""

__version__ = "0.1.0"
