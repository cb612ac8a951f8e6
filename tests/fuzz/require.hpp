#pragma once

#include <cstdio>
#include <cstdlib>

/// A property that must hold whatever the input: ends the fuzzer with a finding if it does not.
inline void require(bool holds, const char* property) {
    if (holds) return;
    std::fprintf(stderr, "property broken: %s\n", property);
    std::abort();
}
