"""A detector: fit a picture into the model's input, run LiteRT, TensorFlow or PyTorch, decode what comes out.

`inspect.inspect_model` tells what a file wants and gives; `detector.load_model` opens it for use.
"""
