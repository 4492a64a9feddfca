// Sums of products in Einstein's notation, as sums, permutations and matrix products.

#include "ops/compose.hpp"

#include <fovea/ops.hpp>

#include <algorithm>
#include <map>
#include <string>

namespace fovea {
namespace {

// A tensor and the letters of its axes, outermost first.
struct Term {
  Tensor tensor;
  std::string letters;
  bool has(char letter) const { return letters.find(letter) != std::string::npos; }
  std::int64_t extent(char letter) const { return tensor.dim(static_cast<int>(letters.find(letter))); }
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Sums over the letters that are not in `kept`.
Term summed(const Term& term, const std::string& kept, CallSite site) {
  ReduceDesc desc;
  std::string letters;
  for (std::size_t k = 0; k < term.letters.size(); ++k) {
    if (kept.find(term.letters[k]) != std::string::npos)
      letters += term.letters[k];
    else
      desc.axes.push_back(static_cast<std::int64_t>(k));
  }
  return {desc.axes.empty() ? term.tensor : reduce(Reduce::sum, term.tensor, desc, site), letters};
}

Term ordered(const Term& term, const std::string& letters, CallSite site) {
  std::vector<int> order;
  for (char letter : letters) order.push_back(static_cast<int>(term.letters.find(letter)));
  return {letters == term.letters ? term.tensor : permute(term.tensor, order, site), letters};
}

// The product of two, summed over the letters that nothing in `kept` needs: a product of matrices for each choice of
// the letters that both have and the result keeps.
Term product(Term a, Term b, const std::string& kept, CallSite site) {
  a = summed(a, kept + b.letters, site);
  b = summed(b, kept + a.letters, site);
  std::string batch, rows, columns, inner;
  for (char letter : a.letters) (!b.has(letter) ? rows : kept.find(letter) != std::string::npos ? batch : inner) += letter;
  for (char letter : b.letters)
    if (!a.has(letter)) columns += letter;
  const auto size = [](const Term& term, const std::string& letters) {
    std::int64_t n = 1;
    for (char letter : letters) n *= term.extent(letter);
    return n;
  };
  std::vector<std::int64_t> shape;
  for (char letter : batch + rows) shape.push_back(a.extent(letter));
  for (char letter : columns) shape.push_back(b.extent(letter));
  const std::int64_t n = size(a, batch), m = size(a, rows), k = size(a, inner), columns_count = size(b, columns);
  const Tensor left = reshape(ordered(a, batch + rows + inner, site).tensor, {n, m, k}, site);
  const Tensor right = reshape(ordered(b, batch + inner + columns, site).tensor, {n, k, columns_count}, site);
  return {reshape(matmul(left, right, {}, site), shape, site), batch + rows + columns};
}

// The letters of the result, and those of each operand in `terms`; a fault where the equation makes no sense.
std::string parse(std::string_view equation, std::span<const Tensor> operands, std::vector<Term>& terms, std::string& fault) {
  std::string text;
  for (char c : equation)
    if (c != ' ') text += c;
  const auto arrow = text.find("->");
  std::string left = text.substr(0, arrow), result = arrow == text.npos ? "" : text.substr(arrow + 2);
  std::map<char, int> uses;
  std::map<char, std::int64_t> extents;
  terms.emplace_back();
  for (char c : left) {
    if (c == ',') {
      terms.emplace_back();
    } else if (!is_letter(c)) {
      return fault = cat("'", std::string(1, c), "' is no letter; ellipses are not supported"), "";
    } else if (terms.back().has(c)) {
      return fault = cat("letter ", std::string(1, c), " stands twice in operand ", terms.size() - 1, "; diagonals are not supported"), "";
    } else {
      terms.back().letters += c;
      ++uses[c];
    }
  }
  if (terms.size() != operands.size())
    return fault = cat("the equation has ", terms.size(), " operands, and ", operands.size(), " are given"), "";
  for (std::size_t i = 0; i < terms.size(); ++i) {
    terms[i].tensor = operands[i];
    if (operands[i].shape().rank() != static_cast<int>(terms[i].letters.size()))
      return fault = cat("operand ", i, ' ', to_string(operands[i].shape()), " has ", operands[i].shape().rank(), " axes and \"", terms[i].letters, "\" letters for ", terms[i].letters.size()), "";
    for (char letter : terms[i].letters) {
      const std::int64_t extent = terms[i].extent(letter), known = extents.emplace(letter, extent).first->second;
      if (known != extent)
        return fault = cat("letter ", std::string(1, letter), " is ", known, " and, in operand ", i, ' ', to_string(operands[i].shape()), ", ", extent), "";
    }
  }
  if (arrow == text.npos)  // by convention: the letters that stand once, in the order of the alphabet
    for (const auto& [letter, count] : uses)
      if (count == 1) result += letter;
  for (std::size_t k = 0; k < result.size(); ++k) {
    if (!uses.count(result[k])) return fault = cat("'", std::string(1, result[k]), "' of the result is in no operand"), "";
    if (result.find(result[k]) != k) return fault = cat("letter ", std::string(1, result[k]), " stands twice in the result"), "";
  }
  return result;
}

}  // namespace

Tensor einsum(std::string_view equation, std::span<const Tensor> operands, CallSite site) {
  if (operands.empty()) return {};
  if (ops::nothing_to_do("einsum", operands, site)) return ops::poisoned(operands[0]);
  for (Tensor operand : operands)
    if (!ops::are_real("einsum", {{"operand 0", operands[0]}, {"another", operand}}, site)) return ops::poisoned(operands[0]);
  std::vector<Term> terms;
  std::string fault;
  const std::string result = parse(equation, operands, terms, fault);
  if (!fault.empty()) return ops::refuse(operands[0], site, "einsum \"", equation, "\": ", fault);
  Term all = terms[0];
  for (std::size_t i = 1; i < terms.size(); ++i) {
    std::string kept = result;
    for (std::size_t later = i + 1; later < terms.size(); ++later) kept += terms[later].letters;
    all = product(all, terms[i], kept, site);
  }
  return ordered(summed(all, result, site), result, site).tensor;
}
Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands, CallSite site) {
  return einsum(equation, std::span(operands.begin(), operands.size()), site);
}

}  // namespace fovea
