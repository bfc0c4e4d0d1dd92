#!/bin/sh
# Builds a TensorRT engine of model.onnx. Written by conclave export, which has checked model.onnx in other runtimes but
# has not run TensorRT: compare its outputs once with those of example.py before you rely on it.
set -eu
cd "$(dirname "$0")"
trtexec --onnx=model.onnx --saveEngine=model.engine@SHAPES@@PRECISION@ "$@"
