#include "tests/conformance/onnx/fold.hpp"

#include <doctest/doctest.h>

using namespace fovea;
using namespace fovea::conformance;

namespace {

using List = std::vector<std::int64_t>;

Integers line(List values) {
  return {{static_cast<std::int64_t>(values.size())}, std::move(values)};
}

// What the node makes of these; the list {-99} where it folds nothing.
List fold(const char* op, const std::vector<Integers>& in, const char* attributes = "{}") {
  std::vector<const Integers*> operands;
  for (const Integers& x : in) operands.push_back(&x);
  const auto out = fold_onnx({op, 13, {}, {"y"}, Attrs(*io::parse_json(attributes))}, operands);
  if (!out) return {-99};
  CHECK(out->shape.elements() == static_cast<std::int64_t>(out->values.size()));
  return out->values;
}

const List nothing{-99};

}  // namespace

TEST_CASE("shapes are put together and taken apart") {
  CHECK(fold("onnx.Concat", {line({2, 3}), line({4})}, R"({"axis":0})") == List{2, 3, 4});
  CHECK(fold("onnx.Slice", {line({5, 6, 7, 8}), line({1}), line({-1})}) == List{6, 7});
  CHECK(fold("onnx.Slice", {line({5, 6, 7}), line({-2}), line({INT64_MAX}), line({0})}) == List{6, 7});
  CHECK(fold("onnx.Slice", {line({5, 6, 7})}, R"({"starts":[0],"ends":[2]})") == List{5, 6});
  CHECK(fold("onnx.Slice", {line({5, 6, 7}), line({2}), line({1})}).empty());
  CHECK(fold("onnx.Gather", {line({5, 6, 7}), line({-1, 0})}) == List{7, 5});
  CHECK(fold("onnx.Gather", {line({5, 6, 7}), Integers{{}, {1}}}) == List{6});
  CHECK(fold("onnx.Unsqueeze", {Integers{{}, {3}}, line({0})}) == List{3});
  CHECK(fold("onnx.Squeeze", {line({3})}) == List{3});
}

TEST_CASE("extents are computed with") {
  CHECK(fold("onnx.Add", {line({1, 2}), line({10, 20})}) == List{11, 22});
  CHECK(fold("onnx.Sub", {line({1, 2}), Integers{{}, {1}}}) == List{0, 1});
  CHECK(fold("onnx.Mul", {Integers{{}, {3}}, line({1, 2})}) == List{3, 6});
  CHECK(fold("onnx.Neg", {line({1, -2})}) == List{-1, 2});
  CHECK(fold("onnx.Neg", {line({INT64_MIN})}) == nothing);
  CHECK(fold("onnx.Mul", {line({INT64_MAX}), line({2})}) == nothing);
  CHECK(fold("onnx.Concat", {line(List(3000)), line(List(3000))}, R"({"axis":0})") == nothing);
}

TEST_CASE("what does not fit or is out of range is left to the operator") {
  CHECK(fold("onnx.Add", {line({1, 2}), line({1, 2, 3})}) == nothing);
  CHECK(fold("onnx.Gather", {line({5, 6}), line({2})}) == nothing);
  CHECK(fold("onnx.Gather", {line({5, 6}), line({-3})}) == nothing);
  CHECK(fold("onnx.Concat", {Integers{{}, {1}}, line({4})}, R"({"axis":0})") == nothing);
  CHECK(fold("onnx.Slice", {line({5, 6, 7}), line({0}), line({3}), line({0}), line({2})}) == nothing);
  CHECK(fold("onnx.Squeeze", {line({3, 4})}) == nothing);
  CHECK(fold("onnx.Exp", {line({3})}) == nothing);
}
