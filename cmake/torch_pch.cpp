// Compiled once so that every target with LibTorch can share its precompiled header.
