#include <fovea/result.hpp>

#include <cstdio>
#include <cstdlib>

namespace fovea {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument: return "invalid argument";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::out_of_memory: return "out of memory";
    case ErrorCode::device: return "device";
    case ErrorCode::device_lost: return "device lost";
    case ErrorCode::io: return "io";
    case ErrorCode::internal: return "internal";
  }
  return "?";
}

void die(const Error& error) {
  std::fprintf(stderr, "fovea: value() of a failed Result: %s: %s\n", to_string(error.code), error.message.c_str());
  std::abort();
}

}  // namespace fovea
