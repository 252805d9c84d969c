"""The CUDA backend: a loop plan as CUDA text, built by nvcc or NVRTC, loaded and launched by pycuda."""
