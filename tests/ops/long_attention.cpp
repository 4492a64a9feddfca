// Attention and additive scores at the last size that their kernels take where a driver cuts loops.

#include "tests/support/longest.hpp"

namespace fovea::test {
namespace {

// Of one head: softmax(q kᵀ / sqrt(D) + mask) v and, for the arriving d, the gradients of q, k, v and of the mask's rows. in: q,
// k, v, d, mask [queries or 1, keys or 1].
template <class T>
std::vector<Array<T>> attention_of(const std::vector<Array<T>>& in) {
  const Array<T>&q = in[0], &k = in[1], &v = in[2], &d = in[3], &mask = in[4];
  const std::int64_t rows = q.dim(2), keys = k.dim(2), D = q.dim(3), Dv = v.dim(3);
  const T scale = 1 / std::sqrt(static_cast<T>(D));
  std::vector<Array<T>> out{Array<T>(d.shape), Array<T>(q.shape), Array<T>(k.shape), Array<T>(v.shape), Array<T>(mask.shape)};
  std::vector<T> w(static_cast<std::size_t>(keys)), slope(w.size());
  for (std::int64_t i = 0; i < rows; ++i) {
    T most = -std::numeric_limits<T>::infinity(), sum = 0, mean = 0;
    const auto mask_at = [&](std::int64_t j) { return (mask.dim(0) == 1 ? 0 : i * mask.dim(1)) + (mask.dim(1) == 1 ? 0 : j); };
    for (std::int64_t j = 0; j < keys; ++j) {
      T score = mask[mask_at(j)];
      for (std::int64_t x = 0; x < D; ++x) score += q[i * D + x] * k[j * D + x] * scale;
      w[static_cast<std::size_t>(j)] = score;
      most = std::max(most, score);
    }
    for (T& value : w) value = std::exp(value - most), sum += value;
    for (std::int64_t j = 0; j < keys; ++j) {
      const auto at = static_cast<std::size_t>(j);
      w[at] /= sum, slope[at] = 0;
      if (w[at] == 0) continue;
      for (std::int64_t x = 0; x < Dv; ++x) {
        out[0][i * Dv + x] += w[at] * v[j * Dv + x];
        out[3][j * Dv + x] += w[at] * d[i * Dv + x];
        slope[at] += d[i * Dv + x] * v[j * Dv + x];
      }
      mean += w[at] * slope[at];
    }
    for (std::int64_t j = 0; j < keys; ++j) {
      const T ds = w[static_cast<std::size_t>(j)] * (slope[static_cast<std::size_t>(j)] - mean);
      out[4][mask_at(j)] += ds;
      for (std::int64_t x = 0; x < D; ++x) out[1][i * D + x] += ds * k[j * D + x] * scale, out[2][j * D + x] += ds * q[i * D + x] * scale;
    }
  }
  return out;
}

std::vector<Operand> heads(std::int64_t rows, std::int64_t keys, std::int64_t D, std::int64_t Dv) {
  std::vector<Operand> in{random({1, 1, rows, D}), random({1, 1, keys, D}, -1, 1, 2), random({1, 1, keys, Dv}, -1, 1, 3),
                          random({1, 1, rows, Dv}, -1, 1, 4), random({1, keys}, -1, 1, 5)};
  return in;
}

}  // namespace

TEST_CASE("attention to as many keys, some of them forbidden and not finite" * doctest::skip(compiles_only())) {
  for (const auto& [kernel, Dv] : {std::pair{"attention=attention_row", 4}, {"attention=attention_row_address", 4}, {"attention=attention_tile", 64}}) {
    const DeviceCaps& caps = caps_of(context());
    if (std::string_view(kernel) == "attention=attention_row_address" && !(caps.buffer_address && caps.int64)) continue;
    check_longest(
        kernel,
        [Dv = Dv](std::int64_t n) {
          std::vector<Operand> in = heads(3, n, 4, Dv);
          for (std::int64_t j = 0; j < n; j += 5)
            in[4].array[j] = -std::numeric_limits<double>::infinity(), in[2].array[j * Dv] = std::numeric_limits<double>::quiet_NaN();
          return in;
        },
        [](Graph&, const Tensors& in) { return Tensors{attention(in[0], in[1], in[2], {.mask = in[4]})}; },
        [](const auto& in) { return std::vector{attention_of(in)[0]}; });
  }
}

TEST_CASE("attention's gradient over as many keys and as many queries" * doctest::skip(compiles_only())) {
  const auto build = [](Graph&, const Tensors& in) {
    return grad(attention(in[0], in[1], in[2], {.mask = in[4]}), {in[0], in[1], in[2]}, {.seed = in[3]});
  };
  const auto reference = [](const auto& in) {
    const auto all = attention_of(in);
    return std::vector{all[1], all[2], all[3]};
  };
  for (const char* kernel : {"attention_backward=attention_backward_uniform", "attention_backward=attention_backward_shuffle",
                             "attention_backward=attention_backward_split", "attention_backward=attention_backward_stored"}) {
    const DeviceCaps& caps = caps_of(context());
    if (std::string_view(kernel) == "attention_backward=attention_backward_stored" && !(caps.buffer_address && caps.int64)) continue;
    check_longest(kernel, [](std::int64_t n) { return heads(3, n, 4, 4); }, build, reference);
    check_longest(kernel, [](std::int64_t n) { return heads(n, 3, 4, 4); }, build, reference);
  }
}

TEST_CASE("attention's gradient over rows whose pairs are stored by more launches than one") {
  for (const Shape& mask : {Shape{1, 1}, Shape{1, 2050}}) {
    std::vector<Operand> in = heads(273, 2050, 3, 6);
    in[4] = random(mask, -1, 1, 5);
    check(
        "attention_backward", in,
        [](Graph&, const Tensors& t) { return grad(attention(t[0], t[1], t[2], {.mask = t[4]}), {t[0], t[1], t[2]}, {.seed = t[3]}); },
        [](const auto& arrays) {
          auto all = attention_of(arrays);
          return std::vector{all[1], all[2], all[3]};
        },
        {.f16 = false, .extra_ulps = 32});
  }
}

TEST_CASE("attention's gradient over thousands of keys of equal scores does not drift" * doctest::skip(compiles_only())) {
  std::vector<Operand> in = heads(3, 20'000, 4, 4);
  for (double& x : in[0].array.values) x = 0;
  in[4] = values({1, 1}, {0});
  check(
      "attention_backward", in,
      [](Graph&, const Tensors& t) {
        return grad(attention(t[0], t[1], t[2], {.mask = t[4]}), {t[0], t[1], t[2]}, {.seed = t[3]});
      },
      [](const auto& arrays) {
        auto all = attention_of(arrays);
        return std::vector{all[1], all[2], all[3]};
      },
      {.f16 = false, .extra_ulps = 32, .elementwise_scale = false});
}

namespace {

void check_mask_gradient(const char* kernel, std::int64_t rows, std::int64_t keys, std::int64_t D, const Shape& mask) {
  INFO(std::string(kernel), ", ", rows, " queries, ", keys, " keys, a mask of ", to_string(mask));
  std::vector<Operand> in = heads(rows, keys, D, D);
  in[4] = random(mask, -1, 1, 5);
  check(
      "attention_backward", in,
      [](Graph&, const Tensors& t) { return grad(attention(t[0], t[1], t[2], {.mask = t[4]}), {t[4]}, {.seed = t[3]}); },
      [](const auto& arrays) { return std::vector{attention_of(arrays)[4]}; }, {.f16 = false, .extra_ulps = 64, .kernel = kernel});
}

}  // namespace

TEST_CASE("an element of a mask that more pairs read than a loop takes" * doctest::skip(compiles_only())) {
  check_mask_gradient("attention_backward_uniform", 40'000, 9, 4, {1, 9});
  for (const char* kernel : {"attention_backward_uniform", "attention_backward_shuffle", "attention_backward_split"})
    check_mask_gradient(kernel, 4099, 61, 28, {1, 61});
}

TEST_CASE("a mask's gradient is summed in parts, and they in parts again, where a device cuts loops early" * doctest::skip(compiles_only())) {
  const EarlyLoops early(200);
  for (const Shape& mask : {Shape{1, 1}, Shape{1, 61}, Shape{67, 1}, Shape{67, 61}})
    check_mask_gradient("attention_backward_uniform", 67, 61, 4, mask);
}

namespace {

// Of v[a] tanh(q_i[a] + k_j[a]), summed over a: the scores, and for their gradient d those of q, k and v. in: q [Lq,A], k [Lk,A],
// v [A], d [Lq,Lk].
template <class T>
std::vector<Array<T>> additive_of(const std::vector<Array<T>>& in) {
  const std::int64_t Lq = in[0].dim(-2), Lk = in[1].dim(-2), A = in[2].dim(0);
  std::vector<Array<T>> out{Array<T>(in[3].shape), Array<T>(in[0].shape), Array<T>(in[1].shape), Array<T>(in[2].shape)};
  for (std::int64_t i = 0; i < Lq; ++i)
    for (std::int64_t j = 0; j < Lk; ++j)
      for (std::int64_t a = 0; a < A; ++a) {
        const T t = std::tanh(in[0][i * A + a] + in[1][j * A + a]), d = in[3][i * Lk + j], slope = d * in[2][a] * (1 - t * t);
        out[0][i * Lk + j] += in[2][a] * t;
        out[1][i * A + a] += slope, out[2][j * A + a] += slope, out[3][a] += d * t;
      }
  return out;
}
std::vector<Operand> additive(std::int64_t Lq, std::int64_t Lk, std::int64_t A) {
  return {random({1, Lq, A}), random({1, Lk, A}, -1, 1, 2), random({A}, -1, 1, 3), random({1, Lq, Lk}, -1, 1, 4)};
}

// Of softmax over j of tanh(q_i[a] + k_j[a]), times x_j[a]: the result, and for its gradient d those of q, k and x.
template <class T>
std::vector<Array<T>> features_of(const std::vector<Array<T>>& in) {
  const Array<T>&q = in[0], &k = in[1], &x = in[2], &d = in[3];
  const std::int64_t Lq = q.dim(-2), Lk = k.dim(-2), A = q.dim(-1);
  std::vector<Array<T>> out{Array<T>(q.shape), Array<T>(q.shape), Array<T>(k.shape), Array<T>(x.shape)};
  for (std::int64_t i = 0; i < Lq; ++i)
    for (std::int64_t a = 0; a < A; ++a) {
      T sum = 0, mean = 0;
      const auto score = [&](std::int64_t j) { return std::tanh(q[i * A + a] + k[j * A + a]); };
      for (std::int64_t j = 0; j < Lk; ++j) sum += std::exp(score(j)), mean += std::exp(score(j)) * x[j * A + a];
      mean /= sum;
      out[0][i * A + a] = mean;
      for (std::int64_t j = 0; j < Lk; ++j) {
        const T t = score(j), w = std::exp(t) / sum * d[i * A + a], ds = w * (x[j * A + a] - mean) * (1 - t * t);
        out[1][i * A + a] += ds, out[2][j * A + a] += ds, out[3][j * A + a] += w;
      }
    }
  return out;
}
std::vector<Operand> features(std::int64_t Lq, std::int64_t Lk) {
  return {random({1, Lq, 3}), random({1, Lk, 3}, -1, 1, 2), random({1, Lk, 3}, -1, 1, 3), random({1, Lq, 3}, -1, 1, 4)};
}

// The gradients among what a reference gives behind the result.
template <class T>
std::vector<Array<T>> gradients(std::vector<Array<T>> all) {
  all.erase(all.begin());
  return all;
}

}  // namespace

TEST_CASE("additive scores and attention by features of as many features, keys and queries, with gradients" * doctest::skip(compiles_only())) {
  check_longest(
      "additive_score=additive_score", [](std::int64_t n) { return additive(2, 3, n); },
      [](Graph&, const Tensors& in) { return Tensors{additive_score(in[0], in[1], in[2])}; },
      [](const auto& in) { return std::vector{additive_of(in)[0]}; }, 64);
  check_longest(
      "feature_attention=feature_attention", [](std::int64_t n) { return features(3, n); },
      [](Graph&, const Tensors& in) { return Tensors{feature_attention(in[0], in[1], in[2])}; },
      [](const auto& in) { return std::vector{features_of(in)[0]}; }, 64);
  for (const bool of_keys : {false, true}) {
    const auto sizes = [=](std::int64_t n) { return of_keys ? std::pair{n, std::int64_t{3}} : std::pair{std::int64_t{3}, n}; };
    check_longest(
        "additive_score_backward=additive_score_backward",
        [=](std::int64_t n) { return additive(sizes(n).first, sizes(n).second, 5); },
        [](Graph&, const Tensors& in) { return grad(additive_score(in[0], in[1], in[2]), {in[0], in[1], in[2]}, {.seed = in[3]}); },
        [](const auto& in) { return gradients(additive_of(in)); }, 64);
    check_longest(
        "feature_attention_backward=feature_attention_backward", [=](std::int64_t n) { return features(sizes(n).first, sizes(n).second); },
        [](Graph&, const Tensors& in) { return grad(feature_attention(in[0], in[1], in[2]), {in[0], in[1], in[2]}, {.seed = in[3]}); },
        [](const auto& in) { return gradients(features_of(in)); }, 64);
  }
}

}  // namespace fovea::test
