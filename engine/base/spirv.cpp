#include "base/spirv.hpp"

#include <array>

namespace fovea::spirv {

std::optional<std::uint32_t> fold(std::uint32_t op, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  const auto i = static_cast<std::int32_t>(a), j = static_cast<std::int32_t>(b);
  const bool divides = b != 0 && !(a == 0x80000000u && b == UINT32_MAX);
  switch (op) {
    case op_s_negate: return 0 - a;
    case op_i_add: return a + b;
    case op_i_sub: return a - b;
    case op_i_mul: return a * b;
    case op_u_div: return b ? std::optional(a / b) : std::nullopt;
    case op_u_mod: return b ? std::optional(a % b) : std::nullopt;
    case op_s_div: return divides ? std::optional(static_cast<std::uint32_t>(i / j)) : std::nullopt;
    case op_s_rem: return divides ? std::optional(static_cast<std::uint32_t>(i % j)) : std::nullopt;
    case op_logical_equal:
    case op_i_equal: return a == b;
    case op_logical_not_equal:
    case op_i_not_equal: return a != b;
    case op_logical_or:
    case op_bitwise_or: return a | b;
    case op_logical_and:
    case op_bitwise_and: return a & b;
    case op_bitwise_xor: return a ^ b;
    case op_logical_not: return !a;
    case op_not: return ~a;
    case op_select: return a ? b : c;
    case op_u_greater_than: return a > b;
    case op_s_greater_than: return i > j;
    case op_u_greater_than_equal: return a >= b;
    case op_s_greater_than_equal: return i >= j;
    case op_u_less_than: return a < b;
    case op_s_less_than: return i < j;
    case op_u_less_than_equal: return a <= b;
    case op_s_less_than_equal: return i <= j;
    case op_shift_right_logical: return b < 32 ? std::optional(a >> b) : std::nullopt;
    case op_shift_right_arithmetic: return b < 32 ? std::optional(static_cast<std::uint32_t>(i >> b)) : std::nullopt;
    case op_shift_left_logical: return b < 32 ? std::optional(a << b) : std::nullopt;
    default: return std::nullopt;
  }
}

void emit(std::vector<std::uint32_t>& out, std::uint32_t op, Words words) {
  out.push_back(static_cast<std::uint32_t>(words.size() + 1) << 16 | op);
  out.insert(out.end(), words.begin(), words.end());
}

void emit_constant(std::vector<std::uint32_t>& out, bool boolean, std::uint32_t type, std::uint32_t id, std::uint32_t value) {
  if (boolean) emit(out, value ? op_constant_true : op_constant_false, std::array{type, id});
  else emit(out, op_constant, std::array{type, id, value});
}

}  // namespace fovea::spirv
