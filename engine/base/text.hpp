#pragma once
// Joins values into one string: cat("k has ", 3, " heads").

#include <concepts>
#include <string>
#include <string_view>

namespace fovea {

inline void append_text(std::string& out, std::string_view text) { out += text; }
inline void append_text(std::string& out, char text) { out += text; }
inline void append_text(std::string& out, const char* text) { out += text; }
inline void append_text(std::string& out, std::same_as<bool> auto value) { out += value ? "true" : "false"; }
template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>)
void append_text(std::string& out, T value) {
  out += std::to_string(value);
}
void append_text(std::string& out, double value);  // shortest text that reads back as the same float
inline void append_text(std::string& out, float value) { append_text(out, static_cast<double>(value)); }

template <class... Values>
std::string cat(const Values&... values) {
  std::string out;
  (append_text(out, values), ...);
  return out;
}

}  // namespace fovea
