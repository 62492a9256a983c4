"""Any server of the Open Inference Protocol (KServe v2 over gRPC), by a row's mapping of tensors."""
