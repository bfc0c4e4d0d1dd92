# Everything that is not ours. One imported target per library; docs/dependencies.md says why each is here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
if(CONCLAVE_IMGCODECS)
  find_package(OpenCV 4.5 REQUIRED COMPONENTS core imgproc imgcodecs)
else()
  find_package(OpenCV 4.5 REQUIRED COMPONENTS core imgproc)
endif()
pkg_check_modules(TURBOJPEG REQUIRED IMPORTED_TARGET libturbojpeg)
pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-cpp)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(simdjson REQUIRED)
find_package(CLI11 REQUIRED)

# LibTorch is PyTorch's wheel. We name its libraries ourselves instead of find_package(Torch), which wants the CUDA
# language even where nothing of ours is CUDA. Its include folder also carries old copies of fmt and protobuf that would
# shadow the system's, so it goes last in the search (-idirafter).
if(NOT CONCLAVE_LIBTORCH)
  set(CONCLAVE_LIBTORCH $ENV{HOME}/.cache/conclave/libtorch-2.11.0)
endif()
set(_torch ${CONCLAVE_LIBTORCH}/torch)
if(NOT EXISTS ${_torch}/include/torch/csrc/api/include/torch/torch.h)
  message(FATAL_ERROR "LibTorch is not at ${CONCLAVE_LIBTORCH}. Run scripts/setup, or set CONCLAVE_LIBTORCH.")
endif()
add_library(conclave_torch INTERFACE)
target_compile_options(conclave_torch INTERFACE
  "SHELL:-idirafter ${_torch}/include" "SHELL:-idirafter ${_torch}/include/torch/csrc/api/include")
set(_torch_libraries ${_torch}/lib/libc10.so ${_torch}/lib/libtorch_cpu.so)
if(CONCLAVE_CUDA)
  # Nothing of ours names a CUDA symbol; the backend registers itself when it is loaded, so it must not be dropped.
  list(APPEND _torch_libraries -Wl,--no-as-needed ${_torch}/lib/libc10_cuda.so ${_torch}/lib/libtorch_cuda.so -Wl,--as-needed)
endif()
target_link_options(conclave_torch INTERFACE -Wl,--allow-shlib-undefined -Wl,-rpath,${_torch}/lib)
target_link_libraries(conclave_torch INTERFACE ${_torch_libraries} Threads::Threads)
