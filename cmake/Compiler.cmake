# Warnings, sanitizers and ccache for our own code.
add_library(conclave_flags INTERFACE)
target_compile_options(conclave_flags INTERFACE -Wall -Wextra -Wshadow -Werror
  -Wno-restrict)  # g++ 12 raises it falsely on string concatenation (GCC bug 105329)
if(CONCLAVE_SANITIZE)
  # g++ raises -Warray-bounds and others falsely on instrumented code.
  target_compile_options(conclave_flags INTERFACE -Wno-error -fsanitize=${CONCLAVE_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(conclave_flags INTERFACE -fsanitize=${CONCLAVE_SANITIZE})
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers need these two: the header's own time stamps and macros are not part of the hash.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
