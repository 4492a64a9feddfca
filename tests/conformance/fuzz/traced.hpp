#pragma once
// Numbers that remember how they were made, so that one naive formula gives values and exact gradients: reverse-mode
// differentiation of scalars, which shares nothing with the engine's of tensors.
//
// In double they stand for the real numbers. In float every operation is off by as much as Vulkan's precision rules allow a
// device (Vulkan specification, "Precision and Operation of SPIR-V Instructions"), at random: a few such runs tell how far a
// right device may be from the real numbers, also where rounding decides which of two branches is taken.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace fovea::conformance {

template <class Real>
class Tape {
 public:
  // Numbers are noted on the tape that was made last, in this thread; without one they are values alone.
  explicit Tape(std::uint64_t noise = 1) : before_(std::exchange(current_, this)), noise_(noise * 0x9e3779b97f4a7c15u + 1) {}
  ~Tape() { current_ = before_; }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  static Tape* current() { return current_; }

  std::int32_t note(std::int32_t a, Real slope_a, std::int32_t b = -1, Real slope_b = 0) {
    entries_.push_back({a, b, slope_a, slope_b});
    return static_cast<std::int32_t>(entries_.size()) - 1;
  }
  std::size_t size() const { return entries_.size(); }

  // An exact result as this arithmetic gives it: off by up to `halves` times half a unit in the last place of `scale`.
  Real round(double exact, double halves, double scale) {
    if constexpr (std::is_same_v<Real, double>) return exact;
    noise_ ^= noise_ << 13, noise_ ^= noise_ >> 7, noise_ ^= noise_ << 17;  // Marsaglia's xorshift
    const double chance = static_cast<double>(noise_ >> 11) * 0x1p-52 - 1;
    return static_cast<Real>(exact + chance * halves * 0x1p-24 * scale);
  }

  // Slopes of the sum of weights[i] times entry i, for every entry. `weights` has one for each.
  std::vector<Real> slopes(std::vector<Real> weights) {
    for (std::size_t i = entries_.size(); i-- > 0;) {
      const Entry& entry = entries_[i];
      if (weights[i] == 0) continue;
      for (const auto& [from, slope] : {std::pair(entry.a, entry.slope_a), std::pair(entry.b, entry.slope_b)}) {
        if (from < 0 || slope == 0) continue;
        Real& sum = weights[static_cast<std::size_t>(from)];
        // A product and a sum, rounded each: where terms cancel, what is left is as far off as they are.
        const double product = static_cast<double>(slope) * static_cast<double>(weights[i]);
        const Real term = std::abs(slope) == 1 ? static_cast<Real>(product) : round(product, 1, std::abs(product));
        const double exact = static_cast<double>(sum) + static_cast<double>(term);
        sum = sum == 0 ? term : round(exact, 1, std::abs(exact));
      }
    }
    return weights;
  }

 private:
  struct Entry {
    std::int32_t a, b;
    Real slope_a, slope_b;
  };
  inline static thread_local Tape* current_ = nullptr;
  Tape* before_;
  std::vector<Entry> entries_;
  std::uint64_t noise_;
};

template <class Real>
struct Traced {
  Real value = 0;
  std::int32_t at = -1;  // on the tape; -1: a constant

  Traced() = default;
  Traced(double constant) : value(static_cast<Real>(constant)) {}
  double exact() const { return static_cast<double>(value); }
};
using Exact = Traced<double>;
using Single = Traced<float>;

template <class Real>
Real rounded(double exact, double halves, double scale) {
  if (Tape<Real>* tape = Tape<Real>::current()) return tape->round(exact, halves, scale);
  return static_cast<Real>(exact);
}

// A function of one number, by its exact value and slope: within `halves` half units of `scale`.
template <class Real>
Traced<Real> function(Traced<Real> x, double value, double slope, double halves, double scale) {
  Traced<Real> y;
  y.value = rounded<Real>(value, halves, scale);
  if (x.at >= 0) y.at = Tape<Real>::current()->note(x.at, rounded<Real>(slope, halves, std::abs(slope)));
  return y;
}

// Of two, correctly rounded: what single precision holds exactly stays exact.
template <class Real>
Traced<Real> arithmetic(Traced<Real> a, Traced<Real> b, double value, Real slope_a, Real slope_b, double halves = 1) {
  Traced<Real> y;
  const bool exact = halves == 1 && static_cast<double>(static_cast<Real>(value)) == value;
  y.value = exact ? static_cast<Real>(value) : rounded<Real>(value, halves, std::abs(value));
  if (a.at >= 0 || b.at >= 0) y.at = Tape<Real>::current()->note(a.at, slope_a, b.at, slope_b);
  return y;
}

template <class R>
Traced<R> operator+(Traced<R> a, Traced<R> b) { return arithmetic(a, b, a.exact() + b.exact(), R(1), R(1)); }
template <class R>
Traced<R> operator-(Traced<R> a, Traced<R> b) { return arithmetic(a, b, a.exact() - b.exact(), R(1), R(-1)); }
template <class R>
Traced<R> operator*(Traced<R> a, Traced<R> b) { return arithmetic(a, b, a.exact() * b.exact(), b.value, a.value); }
template <class R>
Traced<R> operator/(Traced<R> a, Traced<R> b) {  // 2.5 units, also of a multiplication with the reciprocal
  const double y = a.exact() / b.exact();
  return arithmetic(a, b, y, static_cast<R>(1 / b.exact()), static_cast<R>(-y / b.exact()), 5);
}
template <class R>
Traced<R> operator+(Traced<R> a, double b) { return a + Traced<R>(b); }
template <class R>
Traced<R> operator-(Traced<R> a, double b) { return a - Traced<R>(b); }
template <class R>
Traced<R> operator*(Traced<R> a, double b) { return a * Traced<R>(b); }
template <class R>
Traced<R> operator/(Traced<R> a, double b) { return a / Traced<R>(b); }
template <class R>
Traced<R> operator-(Traced<R> a) { return a * Traced<R>(-1); }
template <class R>
Traced<R>& operator+=(Traced<R>& a, Traced<R> b) { return a = a + b; }
template <class R>
Traced<R>& operator*=(Traced<R>& a, Traced<R> b) { return a = a * b; }
template <class R>
bool operator<(Traced<R> a, Traced<R> b) { return a.value < b.value; }
template <class R>
bool operator>(Traced<R> a, Traced<R> b) { return a.value > b.value; }

// Of equals the first, as ops.hpp says of min and max.
template <class R>
Traced<R> larger(Traced<R> a, Traced<R> b) { return b > a ? b : a; }
template <class R>
Traced<R> smaller(Traced<R> a, Traced<R> b) { return b < a ? b : a; }
// The value without where it came from.
template <class R>
Traced<R> detached(Traced<R> x) { return x.at = -1, x; }

template <class R>
Traced<R> exponential(Traced<R> x) {
  const double y = std::exp(x.exact());
  return function(x, y, y, 2 * (3 + 2 * std::abs(x.exact())), y);
}
template <class R>
Traced<R> logarithm(Traced<R> x) {  // 3 units, and 2^-21 in [0.5, 2]
  const double y = std::log(x.exact()), scale = std::abs(y);
  return function(x, y, 1 / x.exact(), x.value >= R(0.5) && x.value <= R(2) ? 8 : 6, std::abs(scale) < 1 ? 1 : scale);
}
template <class R>
Traced<R> root(Traced<R> x) {  // by the inverse root of 2 units, and a division
  const double y = std::sqrt(x.exact());
  return function(x, y, 0.5 / y, 9, y);
}
template <class R>
Traced<R> magnitude(Traced<R> x) { return x.value < 0 ? -x : x.value > 0 ? x : detached(x); }

}  // namespace fovea::conformance
