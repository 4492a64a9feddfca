#include "base/specialize.hpp"

#include <array>
#include <map>
#include <optional>
#include <set>

namespace fovea {
namespace {

using Words = std::span<const std::uint32_t>;

// Numbers of the SPIR-V specification 1.6, section 3.49.
enum Op : std::uint32_t {
  op_type_bool = 20, op_type_int = 21, op_type_float = 22, op_constant_true = 41, op_constant_false = 42, op_constant = 43,
  op_constant_composite = 44, op_constant_null = 46, op_spec_constant_true = 48, op_spec_constant_false = 49,
  op_spec_constant = 50, op_spec_constant_composite = 51, op_spec_constant_op = 52, op_decorate = 71,
  op_composite_extract = 81, op_s_negate = 126, op_i_add = 128, op_i_sub = 130, op_i_mul = 132, op_u_div = 134,
  op_s_div = 135, op_u_mod = 137, op_s_rem = 138, op_logical_equal = 164, op_logical_not_equal = 165, op_logical_or = 166,
  op_logical_and = 167, op_logical_not = 168, op_select = 169, op_i_equal = 170, op_i_not_equal = 171,
  op_u_greater_than = 172, op_s_greater_than = 173, op_u_greater_than_equal = 174, op_s_greater_than_equal = 175,
  op_u_less_than = 176, op_s_less_than = 177, op_u_less_than_equal = 178, op_s_less_than_equal = 179,
  op_shift_right_logical = 194, op_shift_right_arithmetic = 195, op_shift_left_logical = 196, op_bitwise_or = 197,
  op_bitwise_xor = 198, op_bitwise_and = 199, op_not = 200
};
constexpr std::uint32_t spec_id = 1;  // decoration
constexpr std::size_t header_words = 5;

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

class Specializer {
 public:
  Specializer(Words code, Words constants) : code_(code), constants_(constants) {}

  std::vector<std::uint32_t> run() {
    if (code_.size() < header_words) return {code_.begin(), code_.end()};
    out_.assign(code_.begin(), code_.begin() + header_words);
    for (std::size_t at = header_words; at < code_.size();) {
      const std::size_t length = code_[at] >> 16;
      if (length == 0 || at + length > code_.size()) return {code_.begin(), code_.end()};  // the driver will say so
      add(code_[at] & 0xffff, code_.subspan(at + 1, length - 1));
      at += length;
    }
    return std::move(out_);
  }

 private:
  void emit(std::uint32_t op, Words operands) {
    out_.push_back(static_cast<std::uint32_t>(operands.size() + 1) << 16 | op);
    out_.insert(out_.end(), operands.begin(), operands.end());
  }
  void define(std::uint32_t type, std::uint32_t id, std::uint32_t value) {
    values_[id] = value;
    if (kinds_[type] == op_type_bool)
      emit(value ? op_constant_true : op_constant_false, std::array{type, id});
    else
      emit(op_constant, std::array{type, id, value});
  }
  // What the caller asked for, for a constant with a SpecId.
  std::optional<std::uint32_t> chosen(std::uint32_t id) const {
    const auto at = ids_.find(id);
    if (at == ids_.end() || at->second >= constants_.size()) return std::nullopt;
    return constants_[at->second];
  }

  void add(std::uint32_t op, Words words) {
    const std::size_t n = words.size();
    if (op == op_decorate && n == 3 && words[1] == spec_id) {
      ids_[words[0]] = words[2];  // and the decoration goes: it may stand on no other constant
      return;
    }
    const bool wide = (op == op_type_int || op == op_type_float) && n >= 2 && words[1] == 32;
    if (op == op_type_bool || wide) kinds_[words[0]] = op;
    const bool word = n >= 2 && kinds_.contains(words[0]);
    if (op == op_constant && word) values_[words[1]] = words[2];
    if ((op == op_constant_true || op == op_constant_false) && word) values_[words[1]] = op == op_constant_true;
    if (op == op_constant_null && word) values_[words[1]] = 0;
    if (op == op_spec_constant_true || op == op_spec_constant_false)
      return define(words[0], words[1], chosen(words[1]).value_or(op == op_spec_constant_true) != 0);
    if (op == op_spec_constant) return add_constant(words, word);
    if (op == op_constant_composite || op == op_spec_constant_composite) return add_composite(words);
    if (op == op_spec_constant_op) {
      if (word && fold_op(words)) return;
      unfolded_.insert(words[1]);
    }
    emit(op, words);
  }

  void add_constant(Words words, bool word) {
    const std::uint32_t value = chosen(words[1]).value_or(words[2]);
    if (word) return define(words[0], words[1], value);
    std::vector<std::uint32_t> copy(words.begin(), words.end());  // a wider or narrower number
    copy[2] = value;
    emit(op_constant, copy);
  }

  // Plain once its parts are; parts that could not be folded keep it a specialisation constant.
  void add_composite(Words words) {
    bool plain = true;
    for (std::uint32_t part : words.subspan(2)) plain = plain && !unfolded_.contains(part);
    if (!plain) unfolded_.insert(words[1]);
    composites_[words[1]] = words.subspan(2);
    emit(plain ? op_constant_composite : op_spec_constant_composite, words);
  }

  bool fold_op(Words words) {
    const std::uint32_t op = words[2];
    std::optional<std::uint32_t> result;
    if (op == op_composite_extract) {
      const auto composite = composites_.find(words[3]);
      if (words.size() == 5 && composite != composites_.end() && words[4] < composite->second.size())
        if (const auto part = values_.find(composite->second[words[4]]); part != values_.end()) result = part->second;
    } else {
      std::array<std::uint32_t, 3> operands{};
      bool known = words.size() >= 4 && words.size() <= 6;
      for (std::size_t i = 3; known && i < words.size(); ++i) {
        const auto value = values_.find(words[i]);
        known = value != values_.end();
        if (known) operands[i - 3] = value->second;
      }
      if (known) result = fold(op, operands[0], operands[1], operands[2]);
    }
    if (!result) return false;
    define(words[0], words[1], *result);
    return true;
  }

  Words code_, constants_;
  std::vector<std::uint32_t> out_;
  std::map<std::uint32_t, std::uint32_t> kinds_;    // of the 32-bit and boolean types
  std::map<std::uint32_t, std::uint32_t> ids_;      // SpecId by result id
  std::map<std::uint32_t, std::uint32_t> values_;   // of constants of those types
  std::map<std::uint32_t, Words> composites_;       // parts
  std::set<std::uint32_t> unfolded_;                // specialisation constants that are left
};

}  // namespace

std::vector<std::uint32_t> specialize(Words code, Words constants) { return Specializer(code, constants).run(); }

}  // namespace fovea
