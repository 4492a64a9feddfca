#include "base/prune.hpp"

#include "base/spirv.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace fovea {
namespace {

using namespace spirv;

using Id = std::uint32_t;

// Which operands of an instruction in a function are ids: all but those of [literals, literals_end).
struct Operands {
  bool gives = false;  // the first two are a type and the id of the result
  std::size_t literals = SIZE_MAX, literals_end = SIZE_MAX;
};

// nullopt for what is not known, and for labels, branches and switches, which are read one by one.
std::optional<Operands> operands_of(std::uint32_t op) {
  const auto within = [op](std::uint32_t first, std::uint32_t last) { return op >= first && op <= last; };
  switch (op) {
    case op_undef:
    case op_function_call:
    case op_access_chain:
    case op_in_bounds_access_chain:
    case op_copy_logical:
    case op_cooperative_matrix_length: return Operands{true};
    case op_ext_inst:
    case op_group_ballot_bit_count: return Operands{true, 3, 4};
    case op_variable: return Operands{true, 2, 3};
    case op_load:
    case op_array_length:
    case op_composite_extract: return Operands{true, 3};
    case op_vector_shuffle:
    case op_composite_insert: return Operands{true, 4};
    case op_cooperative_matrix_load:
    case op_cooperative_matrix_mul_add: return Operands{true, 5};
    case op_cooperative_matrix_reduce: return Operands{true, 3, 5};       // the last is a function
    case op_cooperative_matrix_per_element: return Operands{true, 3, 4};  // that is one
    case op_line:
    case op_selection_merge: return Operands{false, 1};
    case op_store:
    case op_copy_memory:
    case op_loop_merge: return Operands{false, 2};
    case op_cooperative_matrix_store: return Operands{false, 4};
    case op_atomic_store:
    case op_control_barrier:
    case op_memory_barrier:
    case op_kill:
    case op_return:
    case op_return_value:
    case op_unreachable:
    case op_no_line: return Operands{};
    default: break;
  }
  if (within(op_group_i_add, op_group_logical_xor)) return Operands{true, 3, 4};
  if (within(op_group_elect, op_group_quad_swap) || within(op_vector_extract_dynamic, op_transpose) ||
      within(op_convert_f_to_u, op_bitcast) || within(op_s_negate, op_s_mul_extended) ||
      within(op_any, op_f_unord_greater_than_equal) || within(op_shift_right_logical, op_bit_count) ||
      op == op_atomic_load || within(op_atomic_exchange, op_atomic_xor))
    return Operands{true};
  return std::nullopt;
}

struct Block {
  Id label = 0;
  std::vector<Instruction> body;
};

struct Function {
  Instruction head;
  std::vector<Instruction> parameters;
  std::vector<Block> blocks;
  std::set<Id> own;                 // ids that it defines
  std::set<Id> variables;           // of its own, that begin with no value
  struct Uses {
    std::size_t all = 0, loads = 0, stores = 0;
  };
  std::map<Id, Uses> uses;
};

struct Constant {
  Id type = 0;
  std::uint32_t value = 0;
  friend auto operator<=>(const Constant&, const Constant&) = default;
};

class Pruner {
 public:
  explicit Pruner(Words code) : code_(code) {}

  std::vector<std::uint32_t> run() {
    const std::vector<std::uint32_t> as_it_is(code_.begin(), code_.end());
    if (!parse()) return as_it_is;
    next_id_ = code_[bound_word];
    copy_of(entry_, Bound(functions_.at(entry_).parameters.size()));
    if (failed_) return as_it_is;
    return assemble();
  }

 private:
  using Bound = std::vector<std::optional<Constant>>;  // arguments, or what they point to

  // --- Reading --------------------------------------------------------------------------------------------------------

  bool parse() {
    Function* function = nullptr;
    const bool whole = for_each_instruction(code_, [&](std::uint32_t op, Words words) {
      const Instruction instruction{op, words};
      if (op == op_function) {
        function = &functions_[words[1]];
        function->head = instruction;
      } else if (op == op_function_end) {
        function = nullptr;
      } else if (function) {
        add(*function, instruction);
      } else if (op == op_name || op == op_member_name || op == op_decorate || op == op_member_decorate) {
        annotations_.push_back(instruction);
      } else {
        failed_ = failed_ || (op >= op_decoration_group && op <= op_group_member_decorate);
        (is_global(op) ? globals_ : preamble_).push_back(instruction);
        add_constant(instruction);
        if (op == op_entry_point) {
          failed_ = failed_ || entry_ != 0;  // one a module
          entry_ = words[1];
        }
      }
      return true;
    });
    return whole && !function && !failed_ && functions_.contains(entry_);
  }

  static bool is_global(std::uint32_t op) {
    return op == op_undef || (op >= op_type_void && op <= op_type_forward_pointer) || op == op_type_cooperative_matrix ||
           (op >= op_constant_true && op <= op_spec_constant_op) || op == op_variable;
  }

  void add_constant(const Instruction& instruction) {
    const auto& [op, words] = instruction;
    if (op == op_type_bool || ((op == op_type_int || op == op_type_float) && words[1] == 32)) scalars_[words[0]] = op;
    if (op == op_type_pointer) pointees_[words[0]] = words[2];
    if (words.size() < 2 || !scalars_.contains(words[0])) return;
    if (op == op_constant) define(words[1], {words[0], words[2]});
    if (op == op_constant_true || op == op_constant_false) define(words[1], {words[0], op == op_constant_true});
    if (op == op_constant_null) define(words[1], {words[0], 0});
  }
  void define(Id id, Constant constant) {
    constants_[id] = constant;
    ids_.try_emplace(constant, id);
  }

  void add(Function& function, const Instruction& instruction) {
    const auto& [op, words] = instruction;
    if (op == op_function_parameter) {
      function.parameters.push_back(instruction);
      function.own.insert(words[1]);
      return;
    }
    if (op == op_label) {
      function.blocks.push_back({words[0], {}});
      function.own.insert(words[0]);
      return;
    }
    const auto operands = operands_of(op);
    const bool branches = op == op_branch || op == op_branch_conditional || op == op_switch || op == op_phi;
    if (function.blocks.empty() || (!operands && !branches)) {
      failed_ = true;
      return;
    }
    function.blocks.back().body.push_back(instruction);
    if (op == op_phi || (operands && operands->gives)) function.own.insert(words[1]);
    if (!operands) return;
    for (std::size_t i = operands->gives ? 2 : 0; i < words.size(); ++i)
      if (i < operands->literals || i >= operands->literals_end) ++function.uses[words[i]].all;
    if (op == op_load) ++function.uses[words[2]].loads;
    if (op == op_store) ++function.uses[words[0]].stores;
    if (op == op_variable && words.size() == 3) function.variables.insert(words[1]);
  }

  // --- Constants through pointers -------------------------------------------------------------------------------------

  // A parameter that points to what its function only reads.
  bool only_read(Id function, std::size_t parameter) {
    const Function& callee = functions_.at(function);
    const Id pointer = callee.parameters[parameter].words[1];
    const auto [at, fresh] = only_read_.try_emplace(pointer, false);
    if (fresh) at->second = uses_of(callee, pointer).all == reads(callee, pointer);
    return at->second;
  }
  // A variable of the function that holds, wherever it is read, what its one store put there.
  bool stored_once(const Function& function, Id variable) {
    if (!function.variables.contains(variable) || uses_of(function, variable).stores != 1) return false;
    const auto [at, fresh] = stored_once_.try_emplace(variable, false);
    if (fresh) at->second = uses_of(function, variable).all == 1 + reads(function, variable);
    return at->second;
  }
  // Loads, and calls of what only reads it.
  std::size_t reads(const Function& function, Id pointer) {
    std::size_t found = uses_of(function, pointer).loads;
    for (const Block& block : function.blocks)
      for (const auto& [op, words] : block.body)
        if (op == op_function_call)
          for (std::size_t i = 3; i < words.size(); ++i) found += words[i] == pointer && only_read(words[2], i - 3);
    return found;
  }
  static Function::Uses uses_of(const Function& function, Id id) {
    const auto at = function.uses.find(id);
    return at == function.uses.end() ? Function::Uses{} : at->second;
  }

  // --- A copy of a function for the constants it is called with -------------------------------------------------------

  struct Copy {
    const Function* from = nullptr;
    std::map<Id, Id> names;             // of its own ids, where they are not its first
    std::map<Id, Id> aliases;           // ids that are another
    std::map<Id, Constant> known;       // ids that are constant
    std::map<Id, Constant> held;        // what pointers lead to
    std::set<Id> reached, passed;       // labels
    std::set<std::pair<Id, Id>> edges;  // that are taken
    std::map<Id, Id> continues;         // the header of the loop, by its continue target
    std::set<Id> merges;                // labels that a header has named
    std::vector<std::uint32_t> out;
  };

  Id copy_of(Id function, Bound bound) {
    const auto [at, fresh] = copies_.try_emplace({function, bound}, 0);
    if (!fresh || failed_) return at->second;
    const Function& from = functions_.at(function);
    Copy copy;
    copy.from = &from;
    const bool first = copied_.insert(function).second;
    const Id id = at->second = first ? function : next_id_++;
    if (!first) {
      copy.names[function] = id;
      for (Id own : from.own) copy.names[own] = next_id_++;
    }
    emit(copy.out, from.head.op, std::array{from.head.words[0], id, from.head.words[2], from.head.words[3]});
    for (std::size_t i = 0; i < from.parameters.size(); ++i) {
      const Words words = from.parameters[i].words;
      emit(copy.out, op_function_parameter, std::array{words[0], named(copy, words[1])});
      if (bound[i]) (pointees_.contains(words[0]) ? copy.held : copy.known)[words[1]] = *bound[i];
      keep(copy, words[1]);
    }
    if (!from.blocks.empty()) copy.reached.insert(from.blocks.front().label);
    for (const Block& block : from.blocks) write(copy, block);
    emit(copy.out, op_function_end, {});
    bodies_.insert(bodies_.end(), copy.out.begin(), copy.out.end());
    keep(copy, function);
    return id;
  }

  // Of a function whose arguments are not known.
  Id whole_copy_of(Id function) {
    const auto at = functions_.find(function);
    failed_ = failed_ || at == functions_.end();
    return failed_ ? function : copy_of(function, Bound(at->second.parameters.size()));
  }

  Id named(const Copy& copy, Id id) const {
    const auto at = copy.names.find(id);
    return at == copy.names.end() ? id : at->second;
  }
  // The id that stands for this one in the copy.
  Id operand(Copy& copy, Id id) {
    while (copy.aliases.contains(id)) id = copy.aliases[id];
    if (const auto constant = known(copy, id)) return id_of(*constant);
    return named(copy, id);
  }
  std::optional<Constant> known(const Copy& copy, Id id) const {
    for (auto at = copy.aliases.find(id); at != copy.aliases.end(); at = copy.aliases.find(id)) id = at->second;
    if (const auto at = copy.known.find(id); at != copy.known.end()) return at->second;
    if (const auto at = constants_.find(id); at != constants_.end()) return at->second;
    return std::nullopt;
  }
  Id id_of(const Constant& constant) {
    const auto [at, fresh] = ids_.try_emplace(constant, next_id_);
    if (fresh) {
      ++next_id_;
      emit_constant(more_constants_, scalars_[constant.type] == op_type_bool, constant.type, at->second, constant.value);
    }
    return at->second;
  }
  // The id is written, so its names and decorations stay.
  void keep(const Copy& copy, Id id) { kept_[id].push_back(named(copy, id)); }

  void write(Copy& copy, const Block& block) {
    copy.passed.insert(block.label);
    const auto loop = copy.continues.find(block.label);
    const bool reached = copy.reached.contains(block.label);
    if (!reached && loop == copy.continues.end() && !copy.merges.contains(block.label)) return;
    emit(copy.out, op_label, std::array{named(copy, block.label)});
    keep(copy, block.label);
    if (!reached) {  // but a header names it
      if (loop != copy.continues.end())
        emit(copy.out, op_branch, std::array{named(copy, loop->second)});
      else
        emit(copy.out, op_unreachable, {});
      return;
    }
    const Instruction* merge = nullptr;
    for (const Instruction& instruction : block.body) {
      if (instruction.op == op_selection_merge)
        merge = &instruction;  // its branch decides whether it stands
      else if (instruction.op == op_branch || instruction.op == op_branch_conditional || instruction.op == op_switch)
        branch(copy, block.label, instruction, merge);
      else
        write(copy, block, instruction);
    }
  }

  void take(Copy& copy, Id from, Id to) {
    // Forward only, but for the way back to a loop's header.
    failed_ = failed_ || (copy.passed.contains(to) && !copy.reached.contains(to));
    copy.reached.insert(to);
    copy.edges.insert({from, to});
  }
  void jump(Copy& copy, Id from, Id to) {
    take(copy, from, to);
    emit(copy.out, op_branch, std::array{named(copy, to)});
  }

  void branch(Copy& copy, Id from, const Instruction& instruction, const Instruction* merge) {
    const auto& [op, words] = instruction;
    if (op == op_branch) return jump(copy, from, words[0]);
    const auto chosen = known(copy, words[0]);
    if (op == op_branch_conditional && chosen && merge) return jump(copy, from, words[chosen->value ? 1 : 2]);
    std::vector<std::uint32_t> rest{operand(copy, words[0])};
    if (op == op_branch_conditional) {
      for (std::size_t i = 1; i < words.size(); ++i) rest.push_back(i < 3 ? named(copy, words[i]) : words[i]);
      for (std::size_t i = 1; i < 3; ++i) take(copy, from, words[i]);
    } else {
      Id only = words[1];
      for (std::size_t i = 2; i + 1 < words.size(); i += 2)
        if (chosen && words[i] == chosen->value) only = words[i + 1];
      if (chosen && merge && only == merge->words[0]) return jump(copy, from, only);
      // One case is left a switch: what breaks out of it needs one.
      rest.push_back(named(copy, chosen ? only : words[1]));
      take(copy, from, chosen ? only : words[1]);
      for (std::size_t i = 2; !chosen && i + 1 < words.size(); i += 2) {
        rest.insert(rest.end(), {words[i], named(copy, words[i + 1])});
        take(copy, from, words[i + 1]);
      }
    }
    if (merge) {
      copy.merges.insert(merge->words[0]);
      emit(copy.out, op_selection_merge, std::array{named(copy, merge->words[0]), merge->words[1]});
    }
    emit(copy.out, op, rest);
  }

  void write(Copy& copy, const Block& block, const Instruction& instruction) {
    const auto& [op, words] = instruction;
    if (op == op_phi) return join(copy, block.label, words);
    const Operands operands = *operands_of(op);
    if (operands.gives && simplify(copy, instruction)) return;
    if (op == op_function_call) return call(copy, words);
    if (op == op_loop_merge) {
      copy.merges.insert(words[0]);
      copy.continues[words[1]] = block.label;
    }
    if (op == op_store && stored_once(*copy.from, words[0]))
      if (const auto constant = known(copy, words[1])) copy.held[words[0]] = *constant;
    std::vector<std::uint32_t> rest(words.begin(), words.end());
    for (std::size_t i = operands.gives ? 2 : 0; i < rest.size(); ++i)
      if (i < operands.literals || i >= operands.literals_end) rest[i] = operand(copy, rest[i]);
    if (op == op_cooperative_matrix_reduce) rest[4] = whole_copy_of(words[4]);
    if (op == op_cooperative_matrix_per_element) rest[3] = whole_copy_of(words[3]);
    if (operands.gives) {
      rest[1] = named(copy, words[1]);
      keep(copy, words[1]);
    }
    emit(copy.out, op, rest);
  }

  // Of the ways that are taken into the block.
  void join(Copy& copy, Id label, Words words) {
    std::vector<std::uint32_t> rest{words[0], named(copy, words[1])};
    std::set<Id> values;
    for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
      failed_ = failed_ || !copy.passed.contains(words[i + 1]);  // of a loop, whose end is not known yet
      if (!copy.edges.contains({words[i + 1], label})) continue;
      rest.insert(rest.end(), {operand(copy, words[i]), named(copy, words[i + 1])});
      values.insert(words[i]);
    }
    if (values.size() == 1) {
      copy.aliases[words[1]] = *values.begin();
      return;
    }
    keep(copy, words[1]);
    emit(copy.out, op_phi, rest);
  }

  // Whether the result is a constant, or another id, and nothing has to be written.
  bool simplify(Copy& copy, const Instruction& instruction) {
    const auto& [op, words] = instruction;
    const Id result = words[1];
    if (!scalars_.contains(words[0])) return false;
    if (op == op_load) {
      const auto held = copy.held.find(words[2]);
      if (held == copy.held.end()) return false;
      copy.known[result] = held->second;
      return true;
    }
    const auto same = [&](Id other) {
      copy.aliases[result] = other;
      return true;
    };
    if (op == op_copy_object) return same(words[2]);
    if (op == op_select)
      if (const auto condition = known(copy, words[2])) return same(words[condition->value ? 3 : 4]);
    if (op == op_logical_and || op == op_logical_or)
      for (std::size_t i : {2u, 3u})
        if (const auto side = known(copy, words[i])) return same(words[(side->value != 0) == (op == op_logical_and) ? 5 - i : i]);
    if (words.size() > 5) return false;
    std::array<std::uint32_t, 3> values{};
    for (std::size_t i = 2; i < words.size(); ++i) {
      const auto constant = known(copy, words[i]);
      if (!constant) return false;
      values[i - 2] = constant->value;
    }
    const auto folded = op == op_bitcast ? std::optional(values[0]) : fold(op, values[0], values[1], values[2]);
    if (!folded) return false;
    copy.known[result] = {words[0], *folded};
    return true;
  }

  void call(Copy& copy, Words words) {
    const Function& callee = functions_.at(words[2]);
    std::vector<std::uint32_t> rest{words[0], named(copy, words[1]), 0};
    Bound bound(callee.parameters.size());
    for (std::size_t i = 0; i < bound.size(); ++i) {
      const Id argument = words[i + 3];
      rest.push_back(operand(copy, argument));
      bound[i] = known(copy, argument);
      if (const auto held = copy.held.find(argument); held != copy.held.end() && only_read(words[2], i)) bound[i] = held->second;
    }
    rest[2] = copy_of(words[2], std::move(bound));
    keep(copy, words[1]);
    emit(copy.out, op_function_call, rest);
  }

  // --- Writing --------------------------------------------------------------------------------------------------------

  std::vector<std::uint32_t> assemble() {
    std::set<Id> own;
    for (const auto& [id, function] : functions_) {
      own.insert(id);
      own.insert(function.own.begin(), function.own.end());
    }
    std::vector<std::uint32_t> out(code_.begin(), code_.begin() + header_words);
    out[bound_word] = next_id_;
    for (const auto& [op, words] : preamble_) emit(out, op, words);
    for (const auto& [op, words] : annotations_) {
      if (!own.contains(words[0])) {
        emit(out, op, words);
        continue;
      }
      for (Id id : kept_[words[0]]) {
        std::vector<std::uint32_t> rest(words.begin(), words.end());
        rest[0] = id;
        emit(out, op, rest);
      }
    }
    for (const auto& [op, words] : globals_) emit(out, op, words);
    out.insert(out.end(), more_constants_.begin(), more_constants_.end());
    out.insert(out.end(), bodies_.begin(), bodies_.end());
    return out;
  }

  Words code_;
  bool failed_ = false;
  std::vector<Instruction> preamble_, annotations_, globals_;
  std::map<Id, Function> functions_;
  Id entry_ = 0;
  std::map<Id, std::uint32_t> scalars_;  // 32-bit types and bool: their instruction
  std::map<Id, Id> pointees_;            // of pointer types
  std::map<Id, Constant> constants_;
  std::map<Constant, Id> ids_;
  std::map<Id, bool> only_read_, stored_once_;
  std::map<std::pair<Id, Bound>, Id> copies_;
  std::set<Id> copied_;
  std::map<Id, std::vector<Id>> kept_;
  std::vector<std::uint32_t> more_constants_, bodies_;
  Id next_id_ = 0;
};

}  // namespace

std::vector<std::uint32_t> prune(Words code) { return Pruner(code).run(); }

}  // namespace fovea
