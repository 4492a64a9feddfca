// Rotary position embedding.

#include "ops/compose.hpp"

#include <fovea/ops.hpp>

namespace fovea {

Tensor rotary_embedding(Tensor x, Tensor cosine, Tensor sine, const RotaryDesc& desc, CallSite site) {
  if (ops::nothing_to_do("rotary_embedding", {x, cosine, sine}, site)) return ops::poisoned(x);
  if (!ops::are_real("rotary_embedding", {{"x", x}, {"cosine", cosine}, {"sine", sine}}, site)) return ops::poisoned(x);
  const Shape& shape = x.shape();
  if (shape.rank() == 0) return ops::refuse(x, site, "rotary_embedding: x is a scalar");
  if (cosine.shape() != sine.shape())
    return ops::refuse(x, site, "rotary_embedding: cosines are ", to_string(cosine.shape()), " and sines ", to_string(sine.shape()));
  const int axis = shape.rank() - 1;
  const std::int64_t pairs = cosine.shape().rank() == 0 ? 0 : cosine.dim(-1), turned = 2 * pairs, size = shape[axis];
  Shape half = shape;
  half[axis] = pairs;
  if (pairs == 0 || turned > size || !ir::broadcasts_to(cosine.shape(), half))
    return ops::refuse(x, site, "rotary_embedding: cosines ", to_string(cosine.shape()), " do not fit x ", to_string(shape));

  const auto part = [&](std::int64_t start, std::int64_t stop, std::int64_t step) {
    return slice(x, {.axis = axis, .start = start, .stop = stop, .step = step}, site);
  };
  const auto times = [&](Tensor a, Tensor b) { return binary(Binary::mul, a, b, site); };
  const Tensor a = desc.interleaved ? part(0, turned, 2) : part(0, pairs, 1);
  const Tensor b = desc.interleaved ? part(1, turned, 2) : part(pairs, turned, 1);
  Tensor first = binary(Binary::sub, times(a, cosine), times(b, sine), site);
  Tensor second = binary(Binary::add, times(a, sine), times(b, cosine), site);
  Tensor y;
  if (desc.interleaved) {  // as columns of two, whose rows follow each other
    std::int64_t rows = 1;
    for (int k = 0; k < axis; ++k) rows *= shape[k];
    const auto column = [&](Tensor t) { return reshape(t, {rows * pairs, 1}, site); };
    Shape together = shape;
    together[axis] = turned;
    y = reshape(concat({column(first), column(second)}, 1, site), together.extents(), site);
  } else {
    y = concat({first, second}, axis, site);
  }
  return turned == size ? y : concat({y, part(turned, size, 1)}, axis, site);
}

}  // namespace fovea
