// Axes read backwards, whole or within each sample's length.

#include "ops/compose.hpp"

#include <fovea/ops.hpp>

#include <string>

namespace fovea {

Tensor flip(Tensor x, std::span<const std::int64_t> axes, CallSite site) {
  if (ops::nothing_to_do("flip", {x}, site)) return ops::poisoned(x);
  std::string fault;
  ir::named_axes(axes, x.shape(), fault);
  if (!fault.empty()) return ops::refuse(x, site, "flip: ", fault);
  for (std::int64_t axis : axes) x = slice(x, {.axis = axis, .start = -1, .step = -1}, site);
  return x;
}
Tensor flip(Tensor x, std::initializer_list<std::int64_t> axes, CallSite site) {
  return flip(x, std::span(axes.begin(), axes.size()), site);
}

Tensor reverse_sequence(Tensor x, Tensor lengths, const ReverseSequenceDesc& desc, CallSite site) {
  if (ops::nothing_to_do("reverse_sequence", {x, lengths}, site)) return ops::poisoned(x);
  const Shape& shape = x.shape();
  const auto batch = ir::normalize_axis(desc.batch_axis, shape.rank()), along = ir::normalize_axis(desc.sequence_axis, shape.rank());
  if (!batch || !along || *batch == *along)
    return ops::refuse(x, site, "reverse_sequence: batch axis ", desc.batch_axis, " and sequence axis ", desc.sequence_axis, " of x ", to_string(shape));
  if (lengths.dtype() != DType::i32 || lengths.shape() != Shape{shape[*batch]})
    return ops::refuse(x, site, "reverse_sequence: lengths are ", to_string(lengths.dtype()), to_string(lengths.shape()), ", not i32[", shape[*batch], ']');
  // Place j of a sample of length l reads l - 1 - j, or j where that is past the length.
  ir::Graph& graph = *x.graph();
  Shape by_sample(std::vector<std::int64_t>(static_cast<std::size_t>(shape.rank()), 1)), by_place = by_sample;
  by_sample[*batch] = shape[*batch];
  by_place[*along] = shape[*along];
  const Tensor place = ops::iota_i32(graph, by_place);
  const Tensor length = binary(Binary::min, reshape(lengths, by_sample.extents(), site), ops::constant_i32(graph, shape[*along]), site);
  const Tensor mirrored = binary(Binary::sub, binary(Binary::sub, length, ops::constant_i32(graph, 1), site), place, site);
  return take_along(x, select(binary(Binary::less, place, length, site), mirrored, place, site), *along, site);
}

}  // namespace fovea
