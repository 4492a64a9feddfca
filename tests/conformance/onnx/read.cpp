#include "tests/conformance/onnx/read.hpp"

#include "io/file.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <set>

namespace fovea::conformance {
namespace {

Error bad(const std::string& file, const std::string& what) {
  return {ErrorCode::io, file + ": " + what};
}

template <class Message>
Result<Message> parse(const NamedBytes& file, const char* what) {
  Message message;
  if (file.bytes.size() > INT_MAX || !message.ParseFromArray(file.bytes.data(), static_cast<int>(file.bytes.size())))
    return bad(file.name, std::string("is not ") + what + " (protobuf cannot read it)");
  return message;
}

// ---- Tensors ------------------------------------------------------------------------------------------------------

std::optional<io::ElementType> element_type(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT: return io::ElementType::f32;
    case onnx::TensorProto::UINT8: return io::ElementType::u8;
    case onnx::TensorProto::INT8: return io::ElementType::i8;
    case onnx::TensorProto::UINT16: return io::ElementType::u16;
    case onnx::TensorProto::INT16: return io::ElementType::i16;
    case onnx::TensorProto::INT32: return io::ElementType::i32;
    case onnx::TensorProto::INT64: return io::ElementType::i64;
    case onnx::TensorProto::BOOL: return io::ElementType::boolean;
    case onnx::TensorProto::FLOAT16: return io::ElementType::f16;
    case onnx::TensorProto::DOUBLE: return io::ElementType::f64;
    case onnx::TensorProto::UINT32: return io::ElementType::u32;
    case onnx::TensorProto::UINT64: return io::ElementType::u64;
    default: return std::nullopt;
  }
}

std::string type_name(int type) {
  return onnx::TensorProto::DataType_IsValid(type)
             ? onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(type))
             : "type " + std::to_string(type);
}

// What Fovea computes with: all floats as f32, whole numbers of 32 or 64 bits as i32.
bool is_supported(int type) {
  const std::optional<io::ElementType> element = element_type(type);
  return element && (*element >= io::ElementType::f16 || *element == io::ElementType::i32 ||
                     *element == io::ElementType::i64 || *element == io::ElementType::boolean);
}

template <class T, class Field>
std::vector<std::byte> bytes_of(const Field& field) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(field.size()) * sizeof(T));
  std::byte* at = bytes.data();
  for (const auto element : field) {
    const T value = static_cast<T>(element);
    std::memcpy(at, &value, sizeof(T));
    at += sizeof(T);
  }
  return bytes;
}

// The elements where they are not raw: halves are the lower bits of whole numbers.
std::vector<std::byte> field_bytes(const onnx::TensorProto& tensor, io::ElementType type) {
  switch (type) {
    case io::ElementType::f32: return bytes_of<float>(tensor.float_data());
    case io::ElementType::f64: return bytes_of<double>(tensor.double_data());
    case io::ElementType::i64: return bytes_of<std::int64_t>(tensor.int64_data());
    case io::ElementType::u32: return bytes_of<std::uint32_t>(tensor.uint64_data());
    case io::ElementType::u64: return bytes_of<std::uint64_t>(tensor.uint64_data());
    default: break;
  }
  if (io::size_of(type) == 4) return bytes_of<std::int32_t>(tensor.int32_data());
  if (io::size_of(type) == 2) return bytes_of<std::uint16_t>(tensor.int32_data());
  return bytes_of<std::uint8_t>(tensor.int32_data());
}

Result<Shape> shape_of(const onnx::TensorProto& tensor, const std::string& file) {
  const auto& dims = tensor.dims();
  const std::string name = "tensor '" + tensor.name() + "'";
  if (dims.size() > max_rank)
    return bad(file, name + " has " + std::to_string(dims.size()) + " axes, more than " + std::to_string(max_rank));
  const Shape shape{std::span<const std::int64_t>(dims.data(), static_cast<std::size_t>(dims.size()))};
  if (!shape.valid()) return bad(file, name + " has extents " + to_string(shape));
  return shape;
}

// Adds a tensor of a type that element_type knows.
Result<void> add_tensor(const onnx::TensorProto& tensor, const std::string& as, const std::string& file,
                        CaseTensors& tensors) {
  const Result<Shape> shape = shape_of(tensor, file);
  if (!shape) return shape.error();
  const std::string name = "tensor '" + tensor.name() + "'";
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.has_segment())
    return bad(file, name + " keeps its data in another file or in segments");
  const io::ElementType type = *element_type(tensor.data_type());
  std::vector<std::byte> bytes;
  if (tensor.has_raw_data()) {
    const auto raw = std::as_bytes(std::span(tensor.raw_data()));
    bytes.assign(raw.begin(), raw.end());
  } else {
    bytes = field_bytes(tensor, type);
  }
  const std::size_t size = io::size_of(type);
  if (bytes.size() % size != 0 || static_cast<std::uint64_t>(shape->elements()) != bytes.size() / size)
    return bad(file, name + ": " + std::to_string(bytes.size()) + " bytes of data, but " + type_name(tensor.data_type()) +
                         to_string(*shape) + " has " + std::to_string(shape->elements()) + " elements of " +
                         std::to_string(size));
  tensors.add(as, type, *shape, std::move(bytes));
  return {};
}

// ---- The graph ----------------------------------------------------------------------------------------------------

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  Result<Case> read(const onnx::ModelProto& model, std::span<const NamedBytes> inputs,
                    std::span<const NamedBytes> outputs) {
    if (!model.has_graph()) return bad(file_, "has no graph");
    const onnx::GraphProto& graph = model.graph();
    if (graph.node().empty()) return bad(file_, "the graph has no node");
    for (const auto& import : model.opset_import()) opsets_[domain_of(import.domain())] = import.version();
    if (model.functions_size() > 0) unsupported("functions of the model's own");
    if (graph.sparse_initializer_size() > 0) unsupported("sparse initializers");

    for (const Result<void>& step : {read_initializers(graph), read_values(graph, inputs, true), read_nodes(graph),
                                     read_values(graph, outputs, false)})
      if (!step) return step.error();
    case_.op = case_.nodes.size() == 1 ? case_.nodes[0].op : "onnx graph";
    case_.absolute = io::Json::object();
    case_.onnx_absolute = 1e-7;
    case_.relative = 1e-3;
    return std::move(case_);
  }

 private:
  static std::string domain_of(const std::string& domain) { return domain.empty() || domain == "ai.onnx" ? "onnx" : domain; }
  // The first reason is kept.
  void unsupported(const std::string& what) {
    if (case_.unsupported.empty()) case_.unsupported = what;
  }
  Result<void> define(const std::string& name) {
    if (!defined_.insert(name).second) return bad(file_, "two values are called '" + name + "'");
    return {};
  }

  Result<void> read_initializers(const onnx::GraphProto& graph) {
    for (const onnx::TensorProto& tensor : graph.initializer()) {
      if (Result<void> added = read_tensor(tensor, "in." + tensor.name(), file_); !added) return added;
      if (Result<void> defined = define(tensor.name()); !defined) return defined;
    }
    return {};
  }

  Result<void> read_tensor(const onnx::TensorProto& tensor, const std::string& as, const std::string& file) {
    if (!is_supported(tensor.data_type())) {
      unsupported("a tensor of " + type_name(tensor.data_type()));
      return {};
    }
    return add_tensor(tensor, as, file, case_.tensors);
  }

  // The graph's inputs or outputs, and their values in as many files.
  Result<void> read_values(const onnx::GraphProto& graph, std::span<const NamedBytes> files, bool inputs) {
    std::size_t next = 0;
    const char* kind = inputs ? "input" : "output";
    for (const onnx::ValueInfoProto& value : inputs ? graph.input() : graph.output()) {
      if (inputs && defined_.contains(value.name())) continue;  // an initializer
      if (!inputs && !defined_.contains(value.name())) return bad(file_, "no node makes the output '" + value.name() + "'");
      if (next == files.size())
        return bad(file_, std::string(kind) + " '" + value.name() + "' has no file " + kind + "_" + std::to_string(next) + ".pb");
      const NamedBytes& file = files[next++];
      if (Result<void> read = read_value(value, file, (inputs ? "in." : "out.") + value.name()); !read) return read;
      if (!inputs) continue;
      if (Result<void> defined = define(value.name()); !defined) return defined;
    }
    if (next < files.size()) return bad(files[next].name, "the graph has only " + std::to_string(next) + " " + kind + "s");
    return {};
  }

  Result<void> read_value(const onnx::ValueInfoProto& value, const NamedBytes& file, const std::string& as) {
    if (value.type().value_case() != onnx::TypeProto::kTensorType) {
      unsupported("'" + value.name() + "' is a sequence, an option or a map");
      return {};
    }
    // The package's bfloat16 tests have files that do not fit their models: what is skipped is not read on.
    if (!case_.unsupported.empty()) return {};
    const Result<onnx::TensorProto> tensor = parse<onnx::TensorProto>(file, "a tensor");
    if (!tensor) return tensor.error();
    const auto& type = value.type().tensor_type();
    if (!is_supported(type.elem_type())) {
      unsupported("a tensor of " + type_name(type.elem_type()));
      return {};
    }
    if (type.elem_type() != tensor->data_type())
      return bad(file.name, "is of " + type_name(tensor->data_type()) + ", but '" + value.name() + "' of " +
                                type_name(type.elem_type()));
    bool same = !type.has_shape() || type.shape().dim_size() == tensor->dims_size();
    for (int axis = 0; same && type.has_shape() && axis < tensor->dims_size(); ++axis) {
      const auto& dim = type.shape().dim(axis);
      same = !dim.has_dim_value() || dim.dim_value() == tensor->dims(axis);
    }
    if (!same) return bad(file.name, "has other extents than '" + value.name() + "' in the model");
    return add_tensor(*tensor, as, file.name, case_.tensors);
  }

  Result<void> read_nodes(const onnx::GraphProto& graph) {
    for (const onnx::NodeProto& proto : graph.node()) {
      const std::string domain = domain_of(proto.domain());
      OnnxNode node{domain + "." + proto.op_type(), opsets_[domain], {}, {}, {}};
      for (const std::string& name : proto.input()) {
        if (!name.empty() && !defined_.contains(name)) return bad(file_, node.op + " takes '" + name + "', which nothing makes");
        node.inputs.push_back(name);
      }
      for (const std::string& name : proto.output()) {
        node.outputs.push_back(name);
        if (name.empty()) continue;
        if (Result<void> defined = define(name); !defined) return defined;
      }
      io::Json attributes = io::Json::object();
      for (const onnx::AttributeProto& attribute : proto.attribute())
        if (Result<void> read = read_attribute(attribute, node.op, attributes); !read) return read;
      node.attributes = Attrs(std::move(attributes));
      case_.nodes.push_back(std::move(node));
    }
    return {};
  }

  Result<void> read_attribute(const onnx::AttributeProto& attribute, const std::string& op, io::Json& attributes) {
    io::Json& to = attributes[attribute.name()];
    switch (attribute.type()) {
      case onnx::AttributeProto::FLOAT: to = static_cast<double>(attribute.f()); return {};
      case onnx::AttributeProto::INT: to = attribute.i(); return {};
      case onnx::AttributeProto::STRING: to = attribute.s(); return {};
      case onnx::AttributeProto::FLOATS: to = std::vector<double>(attribute.floats().begin(), attribute.floats().end()); return {};
      case onnx::AttributeProto::INTS: to = std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end()); return {};
      case onnx::AttributeProto::STRINGS: to = std::vector<std::string>(attribute.strings().begin(), attribute.strings().end()); return {};
      case onnx::AttributeProto::TENSOR: {
        const std::string name = "attr." + std::to_string(case_.nodes.size()) + "." + attribute.name();
        to = name;
        return read_tensor(attribute.t(), name, file_);
      }
      case onnx::AttributeProto::GRAPH: unsupported(op + " with a graph of its own"); return {};
      default: unsupported(op + "'s attribute '" + attribute.name() + "', a list of tensors or graphs, or of no type"); return {};
    }
  }

  std::string file_;
  Case case_;
  std::map<std::string, std::int64_t> opsets_;
  std::set<std::string> defined_;
};

Result<std::vector<std::pair<std::string, io::MappedFile>>> open_all(const std::filesystem::path& folder, const char* kind) {
  std::vector<std::pair<std::string, io::MappedFile>> files;
  std::error_code error;
  for (;;) {
    const std::filesystem::path path = folder / (std::string(kind) + "_" + std::to_string(files.size()) + ".pb");
    if (!std::filesystem::exists(path, error)) return files;
    Result<io::MappedFile> file = io::MappedFile::open(path);
    if (!file) return file.error();
    files.emplace_back(path.string(), std::move(*file));
  }
}

std::vector<NamedBytes> views(const std::vector<std::pair<std::string, io::MappedFile>>& files) {
  std::vector<NamedBytes> all;
  for (const auto& [name, file] : files) all.push_back({name, file.bytes()});
  return all;
}

}  // namespace

Result<Case> parse_onnx_case(const NamedBytes& model, std::span<const NamedBytes> inputs,
                             std::span<const NamedBytes> outputs) {
  const Result<onnx::ModelProto> proto = parse<onnx::ModelProto>(model, "an ONNX model");
  if (!proto) return proto.error();
  return Reader(model.name).read(*proto, inputs, outputs);
}

bool is_onnx_data_set(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::is_directory(folder, error) &&
         std::filesystem::exists(folder.parent_path() / "model.onnx", error);
}

std::string onnx_case_name(const std::filesystem::path& data_set) {
  const std::string test = data_set.parent_path().filename().string(), set = data_set.filename().string();
  const std::string number = set.substr(set.find_last_of('_') + 1);
  return number == "0" ? test : test + "." + number;
}

Result<Case> read_onnx_case(const std::filesystem::path& data_set) {
  const std::filesystem::path path = data_set.parent_path() / "model.onnx";
  const Result<io::MappedFile> model = io::MappedFile::open(path);
  if (!model) return model.error();
  const auto inputs = open_all(data_set, "input"), outputs = open_all(data_set, "output");
  if (!inputs) return inputs.error();
  if (!outputs) return outputs.error();
  Result<Case> loaded = parse_onnx_case({path.string(), model->bytes()}, views(*inputs), views(*outputs));
  if (!loaded) return loaded;
  loaded->group = path.parent_path().parent_path().filename().string();
  loaded->name = onnx_case_name(data_set);
  return loaded;
}

}  // namespace fovea::conformance
