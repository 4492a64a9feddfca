// Reading safetensors. Every number of the header is checked against the file before it is used.
#include "io/file.hpp"
#include "io/json.hpp"
#include <fovea/io.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace fovea::io {
namespace {

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t max_header_bytes = 100'000'000;  // the bound of the format's own reader

// Where the tensors of the file being read are reported from: "model.safetensors: tensor 'w': ...".
struct Context {
  std::string file;
  Error error(const std::string& what) const { return {ErrorCode::io, file + ": " + what}; }
  Error error(const std::string& tensor, const std::string& what) const {
    return error("tensor '" + tensor + "': " + what);
  }
};

std::optional<ElementType> find_element_type(std::string_view name) {
  for (auto type = ElementType::boolean; type <= ElementType::f64; type = static_cast<ElementType>(int(type) + 1)) {
    if (name == to_string(type)) return type;
  }
  return std::nullopt;
}

// A tensor's place in the data, as the header claims it.
struct Entry {
  StoredTensor tensor;
  std::uint64_t begin = 0, end = 0;
};

Result<Shape> read_shape(const Context& in, const std::string& name, const Json& json) {
  if (!json.is_array()) return in.error(name, "'shape' is missing or not a list");
  if (json.size() > static_cast<std::size_t>(max_rank)) {
    return in.error(
        name, "has " + std::to_string(json.size()) + " axes; at most " + std::to_string(max_rank) + " are supported");
  }
  std::vector<std::int64_t> extents;
  for (const Json& extent : json) {
    const auto* value = extent.get_ptr<const Json::number_unsigned_t*>();
    if (value == nullptr || *value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return in.error(
          name, "'shape' holds " + extent.dump(-1, ' ', true, Json::error_handler_t::replace) + ", which is no extent");
    }
    extents.push_back(static_cast<std::int64_t>(*value));
  }
  return Shape(extents);
}

// Bytes that the elements take; absent when 64 bits do not hold the number.
std::optional<std::uint64_t> bytes_of(const Shape& shape, ElementType type) {
  std::uint64_t bytes = size_of(type);
  bool overflow = false;
  for (const std::int64_t extent : shape.extents()) {
    if (extent == 0) return 0;
    overflow |= __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes);
  }
  if (overflow) return std::nullopt;
  return bytes;
}

std::string range_text(std::uint64_t begin, std::uint64_t end) {
  return "bytes " + std::to_string(begin) + ".." + std::to_string(end);
}

Result<Entry> read_entry(const Context& in, const std::string& name, const Json& json, std::uint64_t data_bytes) {
  if (!json.is_object()) return in.error(name, "its header entry is not an object");
  const auto member = [&](const char* key) {
    const auto at = json.find(key);
    return at == json.end() ? Json() : *at;
  };

  const Json type_json = member("dtype");
  const auto* type_name = type_json.get_ptr<const Json::string_t*>();
  if (type_name == nullptr) return in.error(name, "'dtype' is missing or not a string");
  const std::optional<ElementType> type = find_element_type(*type_name);
  if (!type) return in.error(name, "the element type '" + *type_name + "' is unknown");

  Result<Shape> shape = read_shape(in, name, member("shape"));
  if (!shape) return shape.error();

  const Json offsets = member("data_offsets");
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    return in.error(name, "'data_offsets' is missing or not two byte offsets");
  }
  const auto begin = *offsets[0].get_ptr<const Json::number_unsigned_t*>();
  const auto end = *offsets[1].get_ptr<const Json::number_unsigned_t*>();
  if (begin > end) return in.error(name, "its data ends before it begins: " + range_text(begin, end));
  if (end > data_bytes) {
    return in.error(name, range_text(begin, end) + " reach past the data's end at " + std::to_string(data_bytes) +
                              ": the file is truncated or its header is wrong");
  }
  const std::optional<std::uint64_t> bytes = bytes_of(*shape, *type);
  const std::string form = std::string(to_string(*type)) + to_string(*shape);
  if (!bytes) return in.error(name, form + " has more bytes than 64 bits can count");
  if (*bytes != end - begin) {
    return in.error(name, form + " takes " + std::to_string(*bytes) + " bytes, but has " + std::to_string(end - begin) +
                              " (" + range_text(begin, end) + ")");
  }
  return Entry{{name, *type, *shape, {}}, begin, end};
}

Result<Metadata> read_metadata(const Context& in, const Json& json) {
  if (!json.is_object()) return in.error("'__metadata__' is not an object");
  Metadata metadata;
  for (const auto& [key, value] : json.items()) {
    const auto* text = value.get_ptr<const Json::string_t*>();
    if (text == nullptr) return in.error("'__metadata__': the value of '" + key + "' is not a string");
    metadata.emplace(key, *text);
  }
  return metadata;
}

// The data must be covered once, from its first byte to its last. Sorts the entries by place.
Result<void> check_cover(const Context& in, std::vector<Entry>& entries, std::uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
  });
  std::uint64_t covered = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    const std::string range = range_text(entry.begin, entry.end);
    if (entry.begin < covered) {
      return in.error(entry.tensor.name, range + " overlap those of '" + entries[i - 1].tensor.name +
                                             "', which end at " + std::to_string(covered));
    }
    if (entry.begin > covered) {
      return in.error(entry.tensor.name,
                      range + " leave a hole: the data before it ends at " + std::to_string(covered));
    }
    covered = entry.end;
  }
  if (covered != data_bytes) {
    return in.error(std::to_string(data_bytes - covered) + " bytes at the end belong to no tensor");
  }
  return {};
}

Result<std::string_view> find_header(const Context& in, std::span<const std::byte> file) {
  if (file.size() < length_bytes) {
    return in.error(std::to_string(file.size()) + " bytes are no safetensors file: it begins with 8 of header length");
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  if (length > max_header_bytes) {
    return in.error("a header of " + std::to_string(length) + " bytes is over the limit of " +
                    std::to_string(max_header_bytes) + ": is this a safetensors file?");
  }
  if (length > file.size() - length_bytes) {
    return in.error("truncated: a header of " + std::to_string(length) + " bytes in a file of " +
                    std::to_string(file.size()));
  }
  return std::string_view(reinterpret_cast<const char*>(file.data()) + length_bytes, static_cast<std::size_t>(length));
}

}  // namespace

struct Safetensors::Impl {
  MappedFile file;
  std::vector<StoredTensor> tensors;
  std::unordered_map<std::string_view, std::size_t> by_name;  // views of tensors[i].name
  Metadata metadata;
};

Safetensors::Safetensors(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Safetensors::~Safetensors() = default;
Safetensors::Safetensors(Safetensors&&) noexcept = default;
Safetensors& Safetensors::operator=(Safetensors&&) noexcept = default;

Result<Safetensors> Safetensors::parse(std::span<const std::byte> file, std::string_view name) {
  const Context in{std::string(name)};
  Result<std::string_view> header = find_header(in, file);
  if (!header) return header.error();
  const std::span<const std::byte> data = file.subspan(length_bytes + header->size());

  Result<Json> json = parse_json(*header);
  if (!json) return in.error("its header is " + json.error().message);
  if (!json->is_object()) return in.error("its header is not a JSON object");

  auto impl = std::make_unique<Impl>();
  std::vector<Entry> entries;
  for (const auto& [key, value] : json->items()) {
    if (key == "__metadata__") {
      Result<Metadata> metadata = read_metadata(in, value);
      if (!metadata) return metadata.error();
      impl->metadata = std::move(*metadata);
      continue;
    }
    Result<Entry> entry = read_entry(in, key, value, data.size());
    if (!entry) return entry.error();
    entries.push_back(std::move(*entry));
  }
  if (Result<void> covered = check_cover(in, entries, data.size()); !covered) return covered.error();

  for (Entry& entry : entries) {
    entry.tensor.bytes =
        data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.end - entry.begin));
    impl->tensors.push_back(std::move(entry.tensor));
  }
  for (std::size_t i = 0; i < impl->tensors.size(); ++i) impl->by_name.emplace(impl->tensors[i].name, i);
  return Safetensors(std::move(impl));
}

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  Result<Safetensors> tensors = parse(file->bytes(), path.string());
  if (tensors) tensors->impl_->file = std::move(*file);  // the mapping stays where it is
  return tensors;
}

std::span<const StoredTensor> Safetensors::tensors() const {
  return impl_->tensors;
}

const StoredTensor* Safetensors::find(std::string_view name) const {
  const auto at = impl_->by_name.find(name);
  return at == impl_->by_name.end() ? nullptr : &impl_->tensors[at->second];
}

const Metadata& Safetensors::metadata() const {
  return impl_->metadata;
}

}  // namespace fovea::io
