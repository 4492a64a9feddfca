#include "base/enum_name.hpp"
#include "io/json.hpp"
#include <fovea/io.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <tuple>

namespace fovea::io {
namespace {

Error refuse(const std::filesystem::path& path, const std::string& what) {
  return {ErrorCode::invalid_argument, path.string() + ": not written: " + what};
}

Result<void> check(const std::filesystem::path& path, std::span<const StoredTensor> tensors) {
  std::set<std::string_view> names;
  for (const StoredTensor& tensor : tensors) {
    const std::string who = "tensor '" + tensor.name + "': ";
    if (tensor.name == "__metadata__") return refuse(path, who + "the name is the format's own");
    if (!names.insert(tensor.name).second) return refuse(path, who + "the name is given twice");
    if (!is_enumerator(tensor.type)) return refuse(path, who + no_enumerator("its type", tensor.type));
    if (!tensor.shape.valid()) return refuse(path, who + "its shape is invalid");
    const std::uint64_t elements = static_cast<std::uint64_t>(tensor.shape.elements());
    // elements saturates; no span is that long
    if (tensor.bytes.size() % size_of(tensor.type) != 0 || tensor.bytes.size() / size_of(tensor.type) != elements) {
      return refuse(path, who + to_string(tensor.type) + to_string(tensor.shape) + " is not " +
                              std::to_string(tensor.bytes.size()) + " bytes");
    }
  }
  return {};
}

}  // namespace

Result<void> write_safetensors(const std::filesystem::path& path, std::span<const StoredTensor> tensors,
                               const Metadata& metadata) {
  if (Result<void> sound = check(path, tensors); !sound) return sound;
  std::vector<const StoredTensor*> order;
  for (const StoredTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const StoredTensor* a, const StoredTensor* b) {
    return std::make_tuple(size_of(b->type), std::string_view(a->name)) <
           std::make_tuple(size_of(a->type), std::string_view(b->name));
  });

  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const StoredTensor* tensor : order) {
    const std::uint64_t end = offset + tensor->bytes.size();
    Json& entry = header[tensor->name];
    entry["dtype"] = to_string(tensor->type);
    entry["shape"] = Json::array();
    for (const std::int64_t extent : tensor->shape.extents()) entry["shape"].push_back(extent);
    entry["data_offsets"] = {offset, end};
    offset = end;
  }
  std::string text;
  if (!dump_json(header, text)) return refuse(path, "a name or the metadata is not UTF-8");
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begins at a multiple of the largest element

  std::array<std::byte, 8> length{};
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<std::byte>(text.size() >> (8 * i));
  std::vector<std::span<const std::byte>> pieces{length, std::as_bytes(std::span(text))};
  for (const StoredTensor* tensor : order) pieces.push_back(tensor->bytes);
  return write_file(path, pieces);
}

}  // namespace fovea::io
