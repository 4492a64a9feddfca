#pragma once
// The little of SPIR-V that is read here. Numbers of the SPIR-V specification 1.6: instructions 3.49, decorations 3.20,
// storage classes 3.7, execution modes 3.6.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fovea::spirv {

using Words = std::span<const std::uint32_t>;

enum Op : std::uint32_t {
  op_undef = 1, op_name = 5, op_member_name = 6, op_line = 8, op_ext_inst = 12, op_entry_point = 15, op_execution_mode = 16, op_capability = 17, op_type_void = 19, op_type_bool = 20, op_type_int = 21,
  op_type_float = 22, op_type_vector = 23, op_type_matrix = 24, op_type_array = 28, op_type_runtime_array = 29,
  op_type_struct = 30, op_type_pointer = 32, op_type_forward_pointer = 39, op_constant_true = 41, op_constant_false = 42, op_constant = 43,
  op_constant_composite = 44, op_constant_null = 46, op_spec_constant_true = 48, op_spec_constant_false = 49,
  op_spec_constant = 50, op_spec_constant_composite = 51, op_spec_constant_op = 52, op_function = 54,
  op_function_parameter = 55, op_function_end = 56, op_function_call = 57, op_variable = 59, op_load = 61, op_store = 62,
  op_copy_memory = 63, op_access_chain = 65, op_in_bounds_access_chain = 66, op_array_length = 68, op_decorate = 71,
  op_member_decorate = 72, op_decoration_group = 73, op_group_member_decorate = 75, op_vector_extract_dynamic = 77,
  op_vector_shuffle = 79, op_composite_construct = 80, op_composite_extract = 81, op_composite_insert = 82,
  op_copy_object = 83, op_transpose = 84, op_convert_f_to_u = 109, op_bitcast = 124, op_s_negate = 126, op_i_add = 128,
  op_i_sub = 130, op_i_mul = 132, op_u_div = 134, op_s_div = 135, op_u_mod = 137, op_s_rem = 138, op_s_mul_extended = 152,
  op_any = 154, op_logical_equal = 164, op_logical_not_equal = 165, op_logical_or = 166, op_logical_and = 167,
  op_logical_not = 168, op_select = 169, op_i_equal = 170, op_i_not_equal = 171, op_u_greater_than = 172,
  op_s_greater_than = 173, op_u_greater_than_equal = 174, op_s_greater_than_equal = 175, op_u_less_than = 176,
  op_s_less_than = 177, op_u_less_than_equal = 178, op_s_less_than_equal = 179, op_f_unord_greater_than_equal = 191,
  op_shift_right_logical = 194, op_shift_right_arithmetic = 195, op_shift_left_logical = 196, op_bitwise_or = 197,
  op_bitwise_xor = 198, op_bitwise_and = 199, op_not = 200, op_bit_count = 205, op_control_barrier = 224,
  op_memory_barrier = 225, op_atomic_load = 227, op_atomic_store = 228, op_atomic_exchange = 229, op_atomic_xor = 242,
  op_phi = 245, op_loop_merge = 246, op_selection_merge = 247, op_label = 248, op_branch = 249, op_branch_conditional = 250,
  op_switch = 251, op_kill = 252, op_return = 253, op_return_value = 254, op_unreachable = 255, op_no_line = 317, op_execution_mode_id = 331,
  op_group_elect = 333, op_group_ballot_bit_count = 342, op_group_i_add = 349, op_group_logical_xor = 364,
  op_group_quad_swap = 366, op_copy_logical = 400, op_type_cooperative_matrix = 4456, op_cooperative_matrix_load = 4457, op_cooperative_matrix_store = 4458,
  op_cooperative_matrix_mul_add = 4459, op_cooperative_matrix_length = 4460, op_cooperative_matrix_reduce = 5366,
  op_cooperative_matrix_per_element = 5369
};
constexpr std::uint32_t magic = 0x07230203;
constexpr std::size_t header_words = 5, bound_word = 3;
constexpr std::uint32_t spec_id = 1, buffer_block = 3, array_stride = 6, matrix_stride = 7, built_in = 11, non_writable = 24,
                        binding = 33, descriptor_set = 34, offset = 35;                          // decorations
constexpr std::uint32_t uniform = 2, workgroup = 4, push_constant = 9, storage_buffer = 12,
                        physical_storage_buffer = 5349;                                         // storage classes
constexpr std::uint32_t local_size = 17, local_size_id = 38;                                    // execution modes
constexpr std::uint32_t workgroup_size = 25;                                                    // what is built in

struct Instruction {
  std::uint32_t op = 0;
  Words words;  // the operands: [0] is the result of a type, [1] of a constant, a variable or an operation
};

// What an operation on 32-bit integers or booleans gives; nullopt where it is no such operation, or undefined.
std::optional<std::uint32_t> fold(std::uint32_t op, std::uint32_t a, std::uint32_t b, std::uint32_t c);

// Appends an instruction, or a constant of a boolean or a 32-bit type.
void emit(std::vector<std::uint32_t>& out, std::uint32_t op, Words words);
void emit_constant(std::vector<std::uint32_t>& out, bool boolean, std::uint32_t type, std::uint32_t id, std::uint32_t value);

// Calls visit(op, operands) for each instruction until it returns false. Whether it came to the module's end.
template <class Visit>
bool for_each_instruction(Words code, Visit visit) {
  if (code.size() < header_words || code[0] != magic) return false;
  for (std::size_t at = header_words; at < code.size();) {
    const std::size_t length = code[at] >> 16;
    if (length == 0 || at + length > code.size()) return false;
    if (!visit(code[at] & 0xffff, code.subspan(at + 1, length - 1))) return false;
    at += length;
  }
  return true;
}

}  // namespace fovea::spirv
