#pragma once
// For messages about a name that is not known: the one that may have been meant.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

// Letters to insert, take out or change until `a` is `b` (Levenshtein 1966).
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// The first of the names nearest to `name`; empty where not even one is within a third of its letters.
template <class Names>
std::string closest(std::string_view name, const Names& names) {
  std::string best;
  std::size_t least = name.size() / 3 + 1;
  for (const auto& one : names)
    if (const std::size_t distance = edit_distance(name, one); distance < least) least = distance, best = one;
  return best;
}

}  // namespace fovea
