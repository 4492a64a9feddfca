#include "base/specialize.hpp"

#include "base/spirv.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace fovea {
namespace {

using namespace spirv;

class Specializer {
 public:
  Specializer(Words code, Words constants) : code_(code), constants_(constants) {}

  std::vector<std::uint32_t> run() {
    out_.assign(code_.begin(), code_.begin() + static_cast<std::ptrdiff_t>(std::min(code_.size(), header_words)));
    if (!for_each_instruction(code_, [&](std::uint32_t op, Words words) { return add(op, words), true; }))
      return {code_.begin(), code_.end()};  // the driver will say so
    state_local_size();
    return std::move(out_);
  }

 private:
  void emit(std::uint32_t op, Words words) { spirv::emit(out_, op, words); }
  void define(std::uint32_t type, std::uint32_t id, std::uint32_t value) {
    values_[id] = value;
    emit_constant(out_, kinds_[type] == op_type_bool, type, id, value);
  }
  // What the caller asked for, for a constant with a SpecId.
  std::optional<std::uint32_t> chosen(std::uint32_t id) const {
    const auto at = ids_.find(id);
    if (at == ids_.end() || at->second >= constants_.size()) return std::nullopt;
    return constants_[at->second];
  }

  // A workgroup's size by constants' ids, which SPIR-V 1.6 has and Vulkan wants a feature for, is one by numbers now.
  void state_local_size() {
    if (local_size_at_ == 0) return;
    const std::span<std::uint32_t> mode = std::span(out_).subspan(local_size_at_ + 1, 5);  // entry point, mode, three sizes
    const auto unknown = [&](std::uint32_t id) { return !values_.contains(id); };
    if (std::any_of(mode.begin() + 2, mode.end(), unknown)) return;
    out_[local_size_at_] = 6u << 16 | op_execution_mode;
    mode[1] = local_size;
    for (std::uint32_t& size : mode.subspan(2)) size = values_[size];
  }

  void add(std::uint32_t op, Words words) {
    const std::size_t n = words.size();
    if (op == op_execution_mode_id && n == 5 && words[1] == local_size_id) local_size_at_ = out_.size();
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
  std::size_t local_size_at_ = 0;                   // in out_; 0: the module has none by ids
};

}  // namespace

std::vector<std::uint32_t> specialize(Words code, Words constants) { return Specializer(code, constants).run(); }

}  // namespace fovea
