#include "tests/support/check.hpp"

#include <map>
#include <string>

namespace fovea::test {
namespace {

// Over all letters at once: the sum of the products.
template <class T>
Array<T> einsum_reference(const std::vector<std::string>& letters, const std::string& result, const std::vector<Array<T>>& in) {
  std::map<char, std::size_t> number;
  std::vector<std::int64_t> extents, out;
  for (std::size_t i = 0; i < in.size(); ++i)
    for (std::size_t k = 0; k < letters[i].size(); ++k)
      if (number.emplace(letters[i][k], extents.size()).second) extents.push_back(in[i].shape[static_cast<int>(k)]);
  for (char letter : result) out.push_back(extents[number[letter]]);
  Array<T> y{Shape(std::span<const std::int64_t>(out))};
  const Shape all{std::span<const std::int64_t>(extents)};
  const auto at = [&](const std::string& name, const Shape& shape, const std::vector<std::int64_t>& place) {
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < name.size(); ++k) offset = offset * shape[static_cast<int>(k)] + place[number[name[k]]];
    return offset;
  };
  for (std::int64_t i = 0; i < all.elements(); ++i) {
    const auto place = unflatten(i, all);
    T term = 1;
    for (std::size_t k = 0; k < in.size(); ++k) term *= in[k][at(letters[k], in[k].shape, place)];
    y[at(result, y.shape, place)] += term;
  }
  return y;
}

void check_einsum(const std::string& op, const std::string& equation, const std::vector<std::string>& letters, const std::string& result) {
  CAPTURE(equation);
  const std::map<char, std::int64_t> extent{{'a', 2}, {'b', 3}, {'h', 2}, {'i', 5}, {'j', 4}, {'k', 7}, {'D', 3}};
  std::vector<Operand> in;
  for (const std::string& name : letters) {
    std::vector<std::int64_t> shape;
    for (char letter : name) shape.push_back(extent.at(letter));
    in.push_back(random(Shape(std::span<const std::int64_t>(shape)), -1, 1, static_cast<std::uint32_t>(in.size() + 1)));
  }
  // f16 rounds between the products of three; f32 alone for those.
  check(op, in, [&](Graph&, const auto& t) { return std::vector{einsum(equation, t)}; },
        [&](const auto& arrays) { return std::vector{einsum_reference(letters, result, arrays)}; },
        {.f16 = letters.size() == 1 && op == "permute", .extra_ulps = 16, .gradient = true});
}

}  // namespace

TEST_CASE("einsum: products of matrices, by batch, transposed, outer, inner") {
  check_einsum("matmul", "ij,jk->ik", {"ij", "jk"}, "ik");
  check_einsum("matmul", "ij , jk", {"ij", "jk"}, "ik");
  check_einsum("matmul", "bij,bkj->bki", {"bij", "bkj"}, "bki");
  check_einsum("matmul", "bhiD,bhjD->bhij", {"bhiD", "bhjD"}, "bhij");
  check_einsum("matmul", "i,j->ji", {"i", "j"}, "ji");
  check_einsum("matmul", "i,i->", {"i", "i"}, "");
  check_einsum("matmul", "bi,bi->b", {"bi", "bi"}, "b");
  check_einsum("matmul", "bi,bi->ib", {"bi", "bi"}, "ib");
  check_einsum("matmul", ",ij->ij", {"", "ij"}, "ij");
}

TEST_CASE("einsum: one operand, letters of one alone, three operands") {
  check_einsum("permute", "ijk->kij", {"ijk"}, "kij");
  check_einsum("reduce", "ijk->j", {"ijk"}, "j");
  check_einsum("matmul", "ija,jk->k", {"ija", "jk"}, "k");
  check_einsum("matmul", "ab,bi,ij->aj", {"ab", "bi", "ij"}, "aj");
  check_einsum("matmul", "ba,bi,bj->aij", {"ba", "bi", "bj"}, "aij");
}

TEST_CASE("einsum names what is wrong") {
  const auto with = [](const char* equation, Shape a, Shape b) {
    return [=](Graph& g) { einsum(equation, {g.input("a", a), g.input("b", b)}); };
  };
  check_error(with("ij,jk->ik", {2, 3}, {4, 5}), {"einsum \"ij,jk->ik\"", "letter j is 3", "operand 1 [4,5], 4", "einsum.cpp"});
  check_error(with("ij->ij", {2, 3}, {4, 5}), {"1 operands, and 2 are given"});
  check_error(with("ii,ij->j", {2, 2}, {2, 5}), {"letter i stands twice in operand 0", "diagonals"});
  check_error(with("...i,ij->j", {2, 2}, {2, 5}), {"'.' is no letter; ellipses"});
  check_error(with("ij,jk->iz", {2, 3}, {3, 5}), {"'z' of the result is in no operand"});
  check_error(with("ij,jk->ii", {2, 3}, {3, 5}), {"letter i stands twice in the result"});
  check_error(with("i,jk->ik", {2, 3}, {3, 5}), {"operand 0 [2,3] has 2 axes", "\"i\""});
}

}  // namespace fovea::test
