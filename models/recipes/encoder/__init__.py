"""Text encoders for retrieval: multilingual E5 small out of the file that set-up fetches, or any encoder that is ONNX already."""
