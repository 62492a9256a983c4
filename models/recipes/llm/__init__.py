"""Recipe of the generative models: a folder or file of weights becomes ONNX, manifest, tokenizer and chat template, without torch."""
