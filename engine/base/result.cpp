#include <fovea/result.hpp>

#include "base/enum_name.hpp"

#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace fovea {

const char* to_string(ErrorCode code) {
  static constexpr const char* names[] = {"invalid argument", "unsupported", "out of memory", "device",
                                          "device lost",      "timeout",     "io",            "internal"};
  static_assert(std::size(names) == static_cast<std::size_t>(ErrorCode::internal) + 1);
  return enum_name(names, code);
}

void die(const Error& error) {
  std::fprintf(stderr, "fovea: value() of a failed Result: %s: %s\n", to_string(error.code), error.message.c_str());
  std::abort();
}

}  // namespace fovea
