#include "base/text.hpp"

#include <charconv>
#include <cmath>

namespace fovea {

void append_text(std::string& out, double value) {
  if (std::isnan(value)) return void(out += "nan");
  if (std::isinf(value)) return void(out += value < 0 ? "-inf" : "inf");
  char text[32];
  const auto narrow = static_cast<float>(value);
  const auto end = static_cast<double>(narrow) == value ? std::to_chars(text, text + sizeof text, narrow).ptr
                                                        : std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

}  // namespace fovea
