#pragma once
// Names of enumerators. A caller may cast any number to an enumeration: its name is the number then, and operators refuse it.

#include "base/text.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fovea {

// "enumerator 99", of numbers that an enumeration has no name for.
inline const char* number_name(std::uint64_t number) {
  static constexpr std::string_view word = "enumerator ";
  using Text = std::array<char, word.size() + 4>;  // three digits and the end
  static constexpr auto texts = [] {
    std::array<Text, 256> all{};
    for (std::size_t n = 0; n < all.size(); ++n) {
      std::size_t at = word.copy(all[n].data(), word.size());
      for (std::size_t place : {100u, 10u, 1u})
        if (n >= place || place == 1) all[n][at++] = static_cast<char>('0' + n / place % 10);
    }
    return all;
  }();
  return number < texts.size() ? texts[number].data() : "enumerator past 255";
}

// `names` in the order of the enumerators, which count from 0.
template <class Enum, std::size_t N>
const char* enum_name(const char* const (&names)[N], Enum value) {
  const auto number = static_cast<std::uint64_t>(value);
  return number < N ? names[number] : number_name(number);
}

// Whether the value is an enumerator, which to_string has a name for.
template <class Enum>
bool is_enumerator(Enum value) {
  return std::string_view(to_string(value)) != number_name(static_cast<std::uint64_t>(value));
}

// What an error says of one that is not: "the align is enumerator 99, and there is none of that number".
template <class Enum>
std::string no_enumerator(std::string_view what, Enum value) {
  return cat(what, " is ", to_string(value), ", and there is none of that number");
}

}  // namespace fovea
