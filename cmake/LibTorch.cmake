# kshot::torch: LibTorch from the PyTorch wheel.
#
# An imported target of our own, because the wheel's TorchConfig.cmake demands a CUDA toolkit. Only the CPU
# libraries are linked; the program opens libtorch_cuda.so itself where that can be loaded. libtorch_cpu.so finds
# its own dependencies (libcudart, libcupti, libgomp) by the rpath the wheel gave it.
set(KSHOT_TORCH_VERSION 2.11.0)

# scripts/setup leaves its answer in build/torch_dir: when that changes, configure again.
if(EXISTS ${CMAKE_SOURCE_DIR}/build/torch_dir)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/build/torch_dir)
endif()
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/scripts/setup --print-torch-dir
  OUTPUT_VARIABLE torch_dir OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "LibTorch ${KSHOT_TORCH_VERSION} was not found: run scripts/setup first")
endif()
message(STATUS "LibTorch: ${torch_dir}")

file(STRINGS ${torch_dir}/share/cmake/Torch/TorchConfig.cmake old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
if(old_abi)
  message(FATAL_ERROR "${torch_dir} was built with the old C++ ABI (_GLIBCXX_USE_CXX11_ABI=0)")
endif()

add_library(kshot::torch INTERFACE IMPORTED GLOBAL)
# Last on the search path: the wheel brings a copy of fmt that must not hide Debian's, which we link.
target_compile_options(kshot::torch INTERFACE
  "SHELL:-idirafter ${torch_dir}/include" "SHELL:-idirafter ${torch_dir}/include/torch/csrc/api/include")
target_link_libraries(kshot::torch INTERFACE ${torch_dir}/lib/libtorch_cpu.so ${torch_dir}/lib/libc10.so)
# Without OpenMP, at::parallel_for in our own files runs in one thread, silently. LibTorch's copy of the runtime
# goes first: two of them would have two sets of threads.
target_compile_options(kshot::torch INTERFACE -fopenmp)
find_library(torch_gomp NAMES libgomp.so.1 gomp PATHS ${torch_dir}/lib NO_CACHE REQUIRED)
target_link_libraries(kshot::torch INTERFACE ${torch_gomp})
# The wheel's libraries refer to CUDA symbols that no program without a GPU needs: leave those unresolved.
target_link_options(kshot::torch INTERFACE LINKER:--unresolved-symbols=ignore-in-shared-libs)
