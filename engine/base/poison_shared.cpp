#include "base/poison_shared.hpp"

#include "base/shader_workgroup.hpp"
#include "base/spirv.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace fovea {
namespace {

using namespace spirv;

constexpr std::uint32_t input = 1, local_invocation_index = 29, vulkan_memory_model = 5345;
// The scope of a workgroup; acquire and release of its memory, made available and visible where that has to be said.
constexpr std::uint32_t of_workgroup = 2, acquire_release = 0x108, available_and_visible = 0x6000, non_private = 0x20;

// Writes a module anew: `types` what is declared, `body` what its entry point begins with.
class Poisoner {
 public:
  explicit Poisoner(Words code) : code_(code), bound_(code.size() > bound_word ? code[bound_word] : 0) {
    complete_ = for_each_instruction(code, [&](std::uint32_t op, Words words) { return read(op, words), true; });
  }

  std::optional<std::vector<std::uint32_t>> run() {
    if (!complete_ || variables_.empty()) return std::vector<std::uint32_t>{code_.begin(), code_.end()};
    std::vector<std::uint32_t> body;
    if (!write_body(body)) return std::nullopt;
    return write_module(body);
  }

 private:
  void read(std::uint32_t op, Words words) {
    if (op == op_capability && words[0] == vulkan_memory_model) vulkan_model_ = true;
    if (op == op_entry_point) entry_ = words[1];
    if (op == op_decorate && words.size() == 3 && words[1] == built_in && words[2] == local_invocation_index) index_ = words[0];
    if (op >= op_type_void && op <= op_type_pointer) declared_[words[0]] = {op, words};
    if (op == op_constant && words.size() == 3) declared_[words[1]] = {op, words};
    if (op == op_variable && words[2] == workgroup) variables_.push_back(words);
    if (op == op_function) function_ = words[1];
    if (op == op_label && function_ == entry_ && first_label_ == 0) first_label_ = words[0];
  }

  std::uint32_t fresh() { return bound_++; }
  const Instruction* find(std::uint32_t id) const {
    const auto at = declared_.find(id);
    return at == declared_.end() ? nullptr : &at->second;
  }
  // A type that may be declared once only.
  std::uint32_t type(std::uint32_t op, std::initializer_list<std::uint32_t> operands) {
    for (const auto& [id, one] : declared_)
      if (one.op == op && std::ranges::equal(one.words.subspan(1), operands)) return id;
    std::vector<std::uint32_t> words{fresh()};
    words.insert(words.end(), operands);
    emit(types_, op, words);
    if (op == op_type_int) made_uint_ = words[0];
    return words[0];
  }
  std::uint32_t uint_type() { return made_uint_ ? made_uint_ : type(op_type_int, {32, 0}); }
  std::uint32_t pointer_to(std::uint32_t pointee, std::uint32_t storage) {
    const std::uint32_t id = fresh();
    emit(types_, op_type_pointer, std::array{id, storage, pointee});
    return id;
  }
  std::uint32_t number(std::uint32_t value) {
    const std::uint32_t id = fresh();
    emit_constant(types_, false, uint_type(), id, value);
    return id;
  }

  // A constant of this type with poison in all its parts; 0: it is of a type that is not known here.
  std::uint32_t poison_of(std::uint32_t type) {
    if (const auto at = poisons_.find(type); at != poisons_.end()) return at->second;
    const Instruction* declared = find(type);
    if (!declared) return 0;
    const Words words = declared->words;
    const auto composite = [&](std::uint32_t count, const auto& type_of) -> std::uint32_t {
      std::vector<std::uint32_t> parts{type, 0};
      for (std::uint32_t i = 0; i < count; ++i) {
        parts.push_back(poison_of(type_of(i)));
        if (parts.back() == 0) return 0;
      }
      parts[1] = fresh();
      emit(types_, op_constant_composite, parts);
      return parts[1];
    };
    std::uint32_t id = 0;
    switch (declared->op) {
      case op_type_bool:
        emit(types_, op_constant_true, std::array{type, id = fresh()});
        break;
      case op_type_int:
      case op_type_float: {
        if (words[1] != 16 && words[1] != 32) return 0;
        emit(types_, op_constant, std::array{type, id = fresh(), words[1] == 16 ? 0x7fffu : 0x7fffffffu});
        break;
      }
      case op_type_vector:
        id = composite(words[2], [&](std::uint32_t) { return words[1]; });
        break;
      case op_type_array:
        id = composite(length_of(words), [&](std::uint32_t) { return words[1]; });
        break;
      case op_type_struct:
        id = composite(static_cast<std::uint32_t>(words.size() - 1), [&](std::uint32_t i) { return words[1 + i]; });
        break;
      default:
        return 0;
    }
    return poisons_[type] = id;
  }
  std::uint32_t length_of(Words array) const {
    const Instruction* length = find(array[2]);
    return length && length->op == op_constant ? length->words[2] : 0;
  }

  void store(std::vector<std::uint32_t>& body, std::uint32_t pointer, std::uint32_t value) const {
    if (vulkan_model_) emit(body, op_store, std::array{pointer, value, non_private});
    else emit(body, op_store, std::array{pointer, value});
  }

  // Invocation i writes elements i, i + n, ... of every array, of n invocations; each of them a variable that is no array.
  bool write_body(std::vector<std::uint32_t>& body) {
    const std::uint32_t uint = uint_type(), boolean = type(op_type_bool, {});
    if (index_ == 0) {
      made_index_ = index_ = fresh();
      emit(types_, op_variable, std::array{pointer_to(uint, input), index_, input});
    }
    const Workgroup group = reflect_workgroup(code_);
    const std::uint32_t invocations = number(group.size[0] * group.size[1] * group.size[2]);
    const std::uint32_t first = fresh();
    emit(body, op_load, std::array{uint, first, index_});
    last_label_ = first_label_;
    for (const Words variable : variables_) {
      const Instruction* pointer = find(variable[0]);
      const Instruction* pointee = pointer ? find(pointer->words[2]) : nullptr;
      if (!pointee) return false;
      const bool is_array = pointee->op == op_type_array;
      const std::uint32_t element = is_array ? pointee->words[1] : pointer->words[2], poison = poison_of(element);
      if (poison == 0 || (is_array && length_of(pointee->words) == 0)) return false;
      if (!is_array) {
        store(body, variable[1], poison);
        continue;
      }
      const std::uint32_t length = number(length_of(pointee->words)), place = pointer_to(element, workgroup);
      const std::uint32_t header = fresh(), test = fresh(), inside = fresh(), next = fresh(), after = fresh();
      const std::uint32_t i = fresh(), step = fresh(), goes_on = fresh(), at = fresh();
      emit(body, op_branch, std::array{header});
      emit(body, op_label, std::array{header});
      emit(body, op_phi, std::array{uint, i, first, last_label_, step, next});
      emit(body, op_loop_merge, std::array{after, next, 0u});
      emit(body, op_branch, std::array{test});
      emit(body, op_label, std::array{test});
      emit(body, op_u_less_than, std::array{boolean, goes_on, i, length});
      emit(body, op_branch_conditional, std::array{goes_on, inside, after});
      emit(body, op_label, std::array{inside});
      emit(body, op_access_chain, std::array{place, at, variable[1], i});
      store(body, at, poison);
      emit(body, op_branch, std::array{next});
      emit(body, op_label, std::array{next});
      emit(body, op_i_add, std::array{uint, step, i, invocations});
      emit(body, op_branch, std::array{header});
      emit(body, op_label, std::array{after});
      last_label_ = after;
    }
    const std::uint32_t scope = number(of_workgroup);
    const std::uint32_t semantics = number(vulkan_model_ ? acquire_release | available_and_visible : acquire_release);
    emit(body, op_control_barrier, std::array{scope, scope, semantics});
    return true;
  }

  std::vector<std::uint32_t> write_module(const std::vector<std::uint32_t>& body) {
    std::vector<std::uint32_t> out(code_.begin(), code_.begin() + header_words);
    bool decorated = made_index_ == 0, in_functions = false, in_entry = false, begun = false;
    for_each_instruction(code_, [&](std::uint32_t op, Words words) {
      std::vector<std::uint32_t> changed;
      const bool declares = (op >= op_type_void && op <= op_type_forward_pointer) || op == op_decorate || op == op_member_decorate;
      if (!decorated && declares) {  // before the first of its section, or the next
        emit(out, op_decorate, std::array{made_index_, built_in, local_invocation_index});
        decorated = true;
      }
      if (op == op_entry_point && made_index_ != 0) {
        changed.assign(words.begin(), words.end());
        changed.push_back(made_index_);  // the interface comes last
        words = changed;
      }
      if (op == op_function && !in_functions) {
        out.insert(out.end(), types_.begin(), types_.end());
        in_functions = true;
      }
      if (op == op_function) in_entry = words[1] == entry_;
      const bool leads = op == op_function || op == op_label || op == op_variable || op == op_line || op == op_no_line;
      if (in_entry && !leads && !begun) {
        out.insert(out.end(), body.begin(), body.end());
        begun = true;
      }
      if (in_entry && op == op_phi) {  // the first block goes on in the last of ours
        changed.assign(words.begin(), words.end());
        for (std::size_t i = 3; i < changed.size(); i += 2)
          if (changed[i] == first_label_) changed[i] = last_label_;
        words = changed;
      }
      emit(out, op, words);
      return true;
    });
    out[bound_word] = bound_;
    return out;
  }

  Words code_;
  std::uint32_t bound_;
  bool complete_ = false, vulkan_model_ = false;
  std::uint32_t entry_ = 0, function_ = 0, first_label_ = 0, last_label_ = 0;  // the entry point, and blocks of it
  std::uint32_t index_ = 0, made_index_ = 0, made_uint_ = 0;                   // LocalInvocationIndex, and what was not there
  std::map<std::uint32_t, Instruction> declared_;                              // types and constants
  std::vector<Words> variables_;                                               // of a workgroup
  std::map<std::uint32_t, std::uint32_t> poisons_;                             // constants, by type
  std::vector<std::uint32_t> types_;                                           // new declarations
};

}  // namespace

std::optional<std::vector<std::uint32_t>> poison_shared(Words code) { return Poisoner(code).run(); }

}  // namespace fovea
