#include "base/device_caps.hpp"
#include "base/shader_table.hpp"
#include "base/shader_workgroup.hpp"
#include "base/spirv.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace fovea {
namespace {

using spirv::Instruction;
using spirv::Words;

constexpr std::uint32_t whole_object = UINT32_MAX;  // the member of a decoration that is on the whole object

// The declarations of a module, by result id.
struct Module {
  std::vector<std::uint32_t> capabilities;
  std::map<std::uint32_t, Instruction> declarations;
  std::vector<Words> variables;
  Words local_size, local_size_ids;  // literals, or constants
  // (id, member or `whole_object`, decoration) -> first literal, 0 without one
  std::map<std::array<std::uint32_t, 3>, std::uint32_t> decorations;

  explicit Module(Words code) {
    spirv::for_each_instruction(code, [&](std::uint32_t opcode, Words operands) { return add(opcode, operands), true; });
  }

  void add(std::uint32_t opcode, Words operands) {
    const std::size_t n = operands.size();
    if (opcode == spirv::op_execution_mode && n >= 5 && operands[1] == spirv::local_size) {
      local_size = operands.subspan(2, 3);
    } else if (opcode == spirv::op_execution_mode_id && n >= 5 && operands[1] == spirv::local_size_id) {
      local_size_ids = operands.subspan(2, 3);
    } else if (opcode == spirv::op_capability && n >= 1) {
      capabilities.push_back(operands[0]);
    } else if (opcode == spirv::op_decorate && n >= 2) {
      decorations[{operands[0], whole_object, operands[1]}] = n > 2 ? operands[2] : 0;
    } else if (opcode == spirv::op_member_decorate && n >= 3) {
      decorations[{operands[0], operands[1], operands[2]}] = n > 3 ? operands[3] : 0;
    } else if (opcode >= spirv::op_type_int && opcode <= spirv::op_type_pointer && n >= 2) {
      declarations[operands[0]] = {opcode, operands};
    } else if (opcode == spirv::op_type_struct && n == 1) {
      declarations[operands[0]] = {opcode, operands};
    } else if ((opcode == spirv::op_constant || opcode == spirv::op_spec_constant ||
                opcode == spirv::op_constant_composite || opcode == spirv::op_spec_constant_composite) && n >= 3) {
      declarations[operands[1]] = {opcode, operands};
    } else if (opcode == spirv::op_variable && n >= 3) {
      variables.push_back(operands);
    }
  }

  const Instruction* find(std::uint32_t id, std::uint32_t opcode, std::size_t operands) const {
    const auto at = declarations.find(id);
    if (at == declarations.end() || at->second.op != opcode || at->second.words.size() < operands) return nullptr;
    return &at->second;
  }
  // Of a constant of 32 bits; 0 where the id is none.
  std::uint32_t constant(std::uint32_t id) const {
    const auto at = declarations.find(id);
    const bool is_one = at != declarations.end() &&
                        (at->second.op == spirv::op_constant || at->second.op == spirv::op_spec_constant);
    return is_one ? at->second.words[2] : 0;
  }
  bool decorated(std::uint32_t id, std::uint32_t member, std::uint32_t decoration) const {
    return decorations.contains({id, member, decoration});
  }
  std::uint32_t decoration(std::uint32_t id, std::uint32_t member, std::uint32_t decoration) const {
    const auto at = decorations.find({id, member, decoration});
    return at == decorations.end() ? 0 : at->second;
  }
  // What a pointer type points to, arrays of blocks taken off; 0 when it is no pointer.
  std::uint32_t pointee(std::uint32_t pointer) const {
    const Instruction* type = find(pointer, spirv::op_type_pointer, 3);
    std::uint32_t id = type ? type->words[2] : 0;
    while (const Instruction* array = find(id, spirv::op_type_array, 2)) id = array->words[1];
    while (const Instruction* array = find(id, spirv::op_type_runtime_array, 2)) id = array->words[1];
    return id;
  }
  bool written(std::uint32_t variable, std::uint32_t block) const {
    if (decorated(variable, whole_object, spirv::non_writable)) return false;
    const Instruction* type = find(block, spirv::op_type_struct, 1);
    if (!type) return true;
    for (std::uint32_t member = 0; member + 1 < type->words.size(); ++member)
      if (!decorated(block, member, spirv::non_writable)) return true;
    return false;
  }
};

// Bytes of a type laid out in a block, by its explicit strides and offsets. Depth bounds a malformed module.
std::uint32_t size_of_type(const Module& module, std::uint32_t id, int depth = 0) {
  const auto at = module.declarations.find(id);
  if (at == module.declarations.end() || depth > 16) return 0;
  const Words operands = at->second.words;
  switch (at->second.op) {
    case spirv::op_type_int:
    case spirv::op_type_float: return operands[1] / 8;
    case spirv::op_type_vector:
      return operands.size() < 3 ? 0 : operands[2] * size_of_type(module, operands[1], depth + 1);
    case spirv::op_type_array: {
      const auto length = operands.size() < 3 ? module.declarations.end() : module.declarations.find(operands[2]);
      if (length == module.declarations.end() || length->second.words.size() < 3) return 0;
      return length->second.words[2] * module.decoration(id, whole_object, spirv::array_stride);
    }
    case spirv::op_type_struct: {
      std::uint32_t bytes = 0;
      for (std::uint32_t member = 0; member + 1 < operands.size(); ++member) {
        const std::uint32_t stride = module.decoration(id, member, spirv::matrix_stride);
        const Instruction* matrix = module.find(operands[member + 1], spirv::op_type_matrix, 3);
        const std::uint32_t size =
            matrix ? stride * matrix->words[2] : size_of_type(module, operands[member + 1], depth + 1);
        bytes = std::max(bytes, module.decoration(id, member, spirv::offset) + size);
      }
      return bytes;
    }
    case spirv::op_type_pointer: return operands[1] == spirv::physical_storage_buffer ? 8 : 0;
    default: return 0;
  }
}

// The references to buffers among a block's own members.
std::vector<ShaderReflection::Address> addresses_of(const Module& module, std::uint32_t block) {
  std::vector<ShaderReflection::Address> addresses;
  const Instruction* type = module.find(block, spirv::op_type_struct, 1);
  for (std::uint32_t member = 0; type && member + 1 < type->words.size(); ++member) {
    const Instruction* pointer = module.find(type->words[member + 1], spirv::op_type_pointer, 3);
    if (!pointer || pointer->words[1] != spirv::physical_storage_buffer) continue;
    addresses.push_back({module.decoration(block, member, spirv::offset), module.written(block, pointer->words[2])});
  }
  return addresses;
}

struct Extent {
  std::uint32_t size = 0, alignment = 4;
};

constexpr std::uint32_t round_up(std::uint32_t size, std::uint32_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

// A type by the standard rules of storage buffers, which bound what a workgroup variable may take.
Extent shared_extent(const Module& module, std::uint32_t id, int depth = 0) {
  const auto at = module.declarations.find(id);
  if (at == module.declarations.end() || depth > 16) return {4, 4};  // a boolean is declared by no operands
  const Words operands = at->second.words;
  switch (at->second.op) {
    case spirv::op_type_int:
    case spirv::op_type_float: return {operands[1] / 8, operands[1] / 8};
    case spirv::op_type_vector: {
      if (operands.size() < 3) return {};
      const std::uint32_t part = shared_extent(module, operands[1], depth + 1).size;
      return {operands[2] * part, (operands[2] == 3 ? 4 : operands[2]) * part};
    }
    case spirv::op_type_matrix:
    case spirv::op_type_array: {
      if (operands.size() < 3) return {};
      const Extent element = shared_extent(module, operands[1], depth + 1);
      const std::uint32_t count = at->second.op == spirv::op_type_matrix ? operands[2] : module.constant(operands[2]);
      return {count * round_up(element.size, element.alignment), element.alignment};
    }
    case spirv::op_type_struct: {
      Extent whole;
      for (std::uint32_t type : operands.subspan(1)) {
        const Extent member = shared_extent(module, type, depth + 1);
        whole.size = round_up(whole.size, member.alignment) + member.size;
        whole.alignment = std::max(whole.alignment, member.alignment);
      }
      return {round_up(whole.size, whole.alignment), whole.alignment};
    }
    default: return {4, 4};
  }
}

constexpr std::uint32_t cooperative_matrix = 6022;  // capabilities
constexpr std::uint32_t matrix_reductions = 5430, matrix_conversions = 5431, matrix_functions = 5432;

// SPIR-V's GroupNonUniform*, in the order of VkSubgroupFeatureFlagBits.
constexpr std::uint32_t group_non_uniform = 61, group_non_uniform_quad = 68;
bool is_of_subgroups(std::uint32_t capability) { return capability >= group_non_uniform && capability <= group_non_uniform_quad; }

template <class Predicate>
bool any_capability(const ShaderInfo& shader, const Predicate& is_wanted) {
  bool found = false;
  spirv::for_each_instruction(shader.code, [&](std::uint32_t opcode, Words operands) {
    if (opcode != spirv::op_capability || operands.empty()) return false;  // capabilities come first
    found = found || is_wanted(operands[0]);
    return !found;
  });
  return found;
}

// The feature that a device with these caps misses for this capability; null: none.
const char* find_missing_feature(const DeviceCaps& caps, std::uint32_t capability) {
  const auto need = [](bool has, const char* feature) { return has ? nullptr : feature; };
  if (is_of_subgroups(capability))
    return need(caps.subgroup_size > 0 && (caps.subgroup_operations >> (capability - group_non_uniform) & 1) != 0,
                "a subgroup operation in compute shaders");
  switch (capability) {
    case 0:                // Matrix
    case 1: return nullptr;  // Shader
    case 9: return need(caps.float16, "shaderFloat16");
    case 11: return need(caps.int64, "shaderInt64");
    case 4433: return need(caps.storage16, "storageBuffer16BitAccess");
    case 4448: return need(caps.storage8, "storageBuffer8BitAccess");
    case 5345: return need(caps.cooperative_matrix, "vulkanMemoryModel");  // enabled wherever cooperative matrices are
    case 5347: return need(caps.buffer_address, "bufferDeviceAddress");
    case cooperative_matrix: return need(caps.cooperative_matrix, "cooperativeMatrix");
    case matrix_reductions: return need(caps.cooperative_matrix2, "cooperativeMatrixReductions");
    case matrix_conversions: return need(caps.cooperative_matrix2, "cooperativeMatrixConversions");
    case matrix_functions: return need(caps.cooperative_matrix2, "cooperativeMatrixPerElementOperations");
    default: return "a SPIR-V capability that Fovea does not know";
  }
}

// The Vulkan version that takes SPIR-V of this version word (0x00010300) without extensions.
std::uint32_t vulkan_for(std::uint32_t spirv_version) {
  const std::uint32_t minor = spirv_version >> 8 & 0xff;
  const std::uint32_t vulkan_minor = minor <= 3 ? 1 : minor <= 5 ? 2 : 3;
  return 1u << 22 | vulkan_minor << 12;
}

}  // namespace

ShaderReflection reflect(std::span<const std::uint32_t> code) {
  const Module module(code);
  ShaderReflection out;
  out.capabilities = module.capabilities;
  for (const auto& [key, literal] : module.decorations)
    if (key[1] == whole_object && key[2] == spirv::spec_id) out.constant_ids.push_back(literal);
  std::sort(out.constant_ids.begin(), out.constant_ids.end());

  std::map<std::pair<std::uint32_t, std::uint32_t>, bool> bindings;  // (set, binding) -> written
  for (Words variable : module.variables) {
    const std::uint32_t id = variable[1], storage = variable[2], block = module.pointee(variable[0]);
    if (storage == spirv::push_constant) {
      out.push_bytes = (size_of_type(module, block) + 3) / 4 * 4;
      out.addresses = addresses_of(module, block);
    }
    const bool is_buffer =
        storage == spirv::storage_buffer ||
        (storage == spirv::uniform && module.decorated(block, whole_object, spirv::buffer_block));
    if (!is_buffer) continue;
    bool& written = bindings[{module.decoration(id, whole_object, spirv::descriptor_set),
                              module.decoration(id, whole_object, spirv::binding)}];
    written = written || module.written(id, block);
  }
  for (const auto& [place, written] : bindings) out.bindings.push_back({place.first, place.second, written});
  return out;
}

Workgroup reflect_workgroup(std::span<const std::uint32_t> code) {
  const Module module(code);
  Words ids = module.local_size_ids;
  for (const auto& [key, literal] : module.decorations) {  // it overrides the execution mode
    const auto at = module.declarations.find(key[0]);
    if (key[2] == spirv::built_in && literal == spirv::workgroup_size && at != module.declarations.end() &&
        at->second.words.size() >= 5)
      ids = at->second.words.subspan(2, 3);
  }
  Workgroup out;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (!module.local_size.empty()) out.size[axis] = module.local_size[axis];
    if (!ids.empty()) out.size[axis] = module.constant(ids[axis]);
  }
  for (Words variable : module.variables) {
    const Instruction* type = module.find(variable[0], spirv::op_type_pointer, 3);
    if (variable[2] != spirv::workgroup || !type) continue;
    const Extent extent = shared_extent(module, type->words[2]);
    out.shared_bytes = round_up(out.shared_bytes, extent.alignment) + extent.size;
  }
  return out;
}

bool multiplies_matrices(const ShaderInfo& shader) {
  return any_capability(shader, [](std::uint32_t capability) { return capability == cooperative_matrix; });
}

bool shares_in_subgroups(const ShaderInfo& shader) {
  return any_capability(shader, [](std::uint32_t capability) { return is_of_subgroups(capability) || capability == cooperative_matrix; });
}

const char* find_missing_feature(const DeviceCaps& caps, const ShaderInfo& shader) {
  if (shader.code.size() < spirv::header_words || shader.code[0] != spirv::magic) return "a SPIR-V module";
  // Caps made by hand without a version stand for the floor, Vulkan 1.1.
  constexpr std::uint32_t vulkan_1_1 = 1u << 22 | 1u << 12;
  if (vulkan_for(shader.code[1]) > std::max(caps.api_version, vulkan_1_1)) return "a newer Vulkan version";
  const char* missing = nullptr;
  spirv::for_each_instruction(shader.code, [&](std::uint32_t opcode, Words operands) {
    if (opcode != spirv::op_capability || operands.empty()) return false;  // capabilities come first
    return !(missing = find_missing_feature(caps, operands[0]));
  });
  return missing;
}

}  // namespace fovea
