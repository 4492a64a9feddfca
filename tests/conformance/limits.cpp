#include "tests/conformance/limits.hpp"

#include "io/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>

namespace fovea::conformance {
namespace {

using io::Json;

// Which way takes away.
enum class Less { fewer, more, none_first };  // none_first: 0 is no limit at all

struct Field {
  const char* key;
  Less less;
  const char* kind;  // what a value is, for errors
  bool (*is_kind)(const Json& value);
  Json (*get)(const DeviceCaps& caps);
  void (*set)(DeviceCaps& caps, const Json& value);
};

bool is_list(const Json& value) {
  const auto positive = [](const Json& one) { return one.is_number_unsigned() && one <= UINT32_MAX; };
  return value.is_array() && value.size() == 3 && std::all_of(value.begin(), value.end(), positive);
}

template <auto member>
constexpr Field field(const char* key, Less less = Less::fewer) {
  using T = std::remove_cvref_t<decltype(DeviceCaps().*member)>;
  Field field{key, less, "a number", nullptr, [](const DeviceCaps& caps) -> Json { return caps.*member; },
              [](DeviceCaps& caps, const Json& value) { caps.*member = value.get<T>(); }};
  if constexpr (std::is_same_v<T, bool>) {
    field.kind = "true or false";
    field.is_kind = [](const Json& value) { return value.is_boolean(); };
  } else if constexpr (std::is_integral_v<T>) {
    field.is_kind = [](const Json& value) { return value.is_number_unsigned() && value <= std::numeric_limits<T>::max(); };
  } else {
    field.kind = "a list of three numbers";
    field.is_kind = is_list;
  }
  return field;
}

#define FOVEA_FIELD(name, ...) field<&DeviceCaps::name>(#name __VA_OPT__(, ) __VA_ARGS__)
constexpr Field fields[] = {
    FOVEA_FIELD(max_invocations),
    FOVEA_FIELD(max_group_size),
    FOVEA_FIELD(max_group_count),
    FOVEA_FIELD(max_shared_bytes),
    FOVEA_FIELD(max_push_bytes),
    FOVEA_FIELD(max_storage_buffers),
    FOVEA_FIELD(max_storage_range),
    FOVEA_FIELD(storage_alignment, Less::more),
    FOVEA_FIELD(max_allocation),
    FOVEA_FIELD(max_loop_iterations, Less::none_first),
    FOVEA_FIELD(storage16),
    FOVEA_FIELD(storage8),
    FOVEA_FIELD(float16),
    FOVEA_FIELD(int64),
    FOVEA_FIELD(buffer_address),
    FOVEA_FIELD(timeline_semaphore),
    FOVEA_FIELD(cooperative_matrix),
    FOVEA_FIELD(cooperative_matrix2),
    FOVEA_FIELD(subgroup_size),
};
#undef FOVEA_FIELD

const Field* find_field(const std::string& key) {
  const auto at = std::find_if(std::begin(fields), std::end(fields), [&](const Field& f) { return f.key == key; });
  return at == std::end(fields) ? nullptr : at;
}

// Whether `value` takes nothing away that `limit` would not, element by element.
bool is_within(Less less, const Json& value, const Json& limit) {
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      if (!is_within(less, value[i], limit[i])) return false;
    return true;
  }
  if (value.is_boolean()) return !value.get<bool>() || limit.get<bool>();
  const auto wanted = value.get<std::uint64_t>(), has = limit.get<std::uint64_t>();
  switch (less) {
    case Less::fewer: return wanted <= has;
    case Less::more: return wanted >= has && (wanted & (wanted - 1)) == 0;  // an alignment: a power of two
    case Less::none_first: return wanted == has || (wanted > 0 && (has == 0 || wanted < has));
  }
  return false;
}

std::string keys() {
  std::string text;
  for (const Field& field : fields) text += (text.empty() ? "" : ", ") + std::string(field.key);
  return text;
}

// Empty when done.
std::string set_subgroup_size(DeviceCaps& caps, std::uint32_t size) {
  if (size == 0) {
    caps.subgroup_size = caps.min_subgroup_size = caps.max_subgroup_size = caps.subgroup_operations = 0;
    return {};
  }
  const bool is_power = (size & (size - 1)) == 0;
  if (size != caps.subgroup_size && (!is_power || size < caps.min_subgroup_size || size > caps.max_subgroup_size)) {
    const std::string sizes = caps.min_subgroup_size == caps.max_subgroup_size
                                  ? std::to_string(caps.subgroup_size)
                                  : fmt::format("powers of two from {} to {}", caps.min_subgroup_size, caps.max_subgroup_size);
    return fmt::format("subgroup_size is {}, and this device runs {} (0 takes subgroup operations away)", size, sizes);
  }
  caps.subgroup_size = size;
  return {};
}

}  // namespace

Result<Json> read_limits(const std::filesystem::path& path) {
  const auto error = [&](const std::string& what) { return Error{ErrorCode::io, path.string() + ": " + what}; };
  const Result<io::MappedFile> file = io::MappedFile::open(path);
  if (!file) return file.error();
  Result<Json> limits =
      io::parse_json({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()});
  if (!limits) return error(limits.error().message);
  if (!limits->is_object() || limits->empty()) return error("is no JSON object of limits: {\"max_invocations\": 128}");
  for (const auto& [key, value] : limits->items()) {
    const Field* field = find_field(key);
    if (field == nullptr) return error(fmt::format("no limit '{}'; there is {}", key, keys()));
    if (!field->is_kind(value)) return error(fmt::format("'{}' is {}, not {}", key, value.dump(), field->kind));
  }
  return limits;
}

Result<DeviceCaps> lower(DeviceCaps caps, const Json& limits) {
  for (const auto& [key, value] : limits.items()) {
    const Field& field = *find_field(key);
    std::string wrong;
    if (key == "subgroup_size") {
      wrong = set_subgroup_size(caps, value.get<std::uint32_t>());
    } else if (const Json has = field.get(caps); is_within(field.less, value, has)) {
      field.set(caps, value);
    } else {
      wrong = fmt::format("{} is {}, and {} has {}: limits only take away", key, value.dump(), caps.device_name,
                          has.dump());
    }
    if (!wrong.empty()) return Error{ErrorCode::invalid_argument, "limits: " + wrong};
  }
  return caps;
}

Json describe(const DeviceCaps& caps) {
  Json described = Json::object();
  for (const Field& field : fields) described[field.key] = field.get(caps);
  return described;
}

bool below_floor(const DeviceCaps& caps) {
  DeviceCaps floor;
  floor.max_loop_iterations = 65535;  // the least that a driver is known to give
  return std::any_of(std::begin(fields), std::end(fields), [&](const Field& field) {
    return !is_within(field.less, field.get(floor), field.get(caps));
  });
}

}  // namespace fovea::conformance
