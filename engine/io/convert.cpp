#include "base/enum_name.hpp"
#include "base/half.hpp"
#include <fovea/io.hpp>

#include <bit>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <utility>

namespace fovea::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian and read as they stand");

struct Half {
  std::uint16_t bits;
  operator float() const { return float_from_half(bits); }
};
struct Bfloat {
  std::uint16_t bits;
  operator float() const { return float_from_bfloat(bits); }
};

// Calls visit(values) with a copier of type T's elements: values(i) is element i, read without regard to alignment.
template <class T, class Visit>
auto visit_as(const StoredTensor& tensor, const Visit& visit) {
  return visit([bytes = tensor.bytes](std::size_t i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    return value;
  });
}

template <class Visit>
auto visit_elements(const StoredTensor& tensor, const Visit& visit) {
  switch (tensor.type) {
    case ElementType::boolean:
      return visit([bytes = tensor.bytes](std::size_t i) -> std::uint8_t { return bytes[i] != std::byte{0}; });
    case ElementType::u8:
      return visit_as<std::uint8_t>(tensor, visit);
    case ElementType::i8:
      return visit_as<std::int8_t>(tensor, visit);
    case ElementType::u16:
      return visit_as<std::uint16_t>(tensor, visit);
    case ElementType::i16:
      return visit_as<std::int16_t>(tensor, visit);
    case ElementType::u32:
      return visit_as<std::uint32_t>(tensor, visit);
    case ElementType::i32:
      return visit_as<std::int32_t>(tensor, visit);
    case ElementType::u64:
      return visit_as<std::uint64_t>(tensor, visit);
    case ElementType::i64:
      return visit_as<std::int64_t>(tensor, visit);
    case ElementType::f16:
      return visit_as<Half>(tensor, visit);
    case ElementType::bf16:
      return visit_as<Bfloat>(tensor, visit);
    case ElementType::f32:
      return visit_as<float>(tensor, visit);
    case ElementType::f64:
      break;
  }
  return visit_as<double>(tensor, visit);
}

std::size_t elements_of(const StoredTensor& tensor) {
  const std::size_t size = size_of(tensor.type);
  return size == 0 ? 0 : tensor.bytes.size() / size;  // of a type that is none
}

bool is_floating(ElementType type) {
  return type >= ElementType::f16;
}

// The bytes of convert(element) for every element.
template <class T, class Convert>
std::vector<std::byte> bytes_of(const StoredTensor& tensor, const Convert& convert) {
  std::vector<std::byte> out(elements_of(tensor) * sizeof(T));
  visit_elements(tensor, [&](const auto& values) {
    for (std::size_t i = 0; i < elements_of(tensor); ++i) {
      const T value = convert(values(i));
      std::memcpy(out.data() + i * sizeof(T), &value, sizeof(T));
    }
  });
  return out;
}

Error fault_of(const StoredTensor& tensor, const std::string& what) {
  return {ErrorCode::invalid_argument, "tensor '" + tensor.name + "': " + what};
}

}  // namespace

const char* to_string(ElementType type) {
  static constexpr const char* names[] = {"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "BF16", "F32", "F64"};
  static_assert(std::size(names) == static_cast<std::size_t>(ElementType::f64) + 1);
  return enum_name(names, type);
}

std::size_t size_of(ElementType type) {
  switch (type) {
    case ElementType::boolean:
    case ElementType::u8:
    case ElementType::i8:
      return 1;
    case ElementType::u16:
    case ElementType::i16:
    case ElementType::f16:
    case ElementType::bf16:
      return 2;
    case ElementType::u32:
    case ElementType::i32:
    case ElementType::f32:
      return 4;
    case ElementType::u64:
    case ElementType::i64:
    case ElementType::f64:
      return 8;
  }
  return 0;
}

std::vector<float> to_f32(const StoredTensor& tensor) {
  std::vector<float> out(elements_of(tensor));
  visit_elements(tensor, [&](const auto& values) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(values(i));
  });
  return out;
}

Result<std::vector<std::int32_t>> to_i32(const StoredTensor& tensor) {
  const auto error = [&](const std::string& what) { return fault_of(tensor, what); };
  if (!is_enumerator(tensor.type)) return error(no_enumerator("its type", tensor.type));
  if (is_floating(tensor.type)) return error(std::string(to_string(tensor.type)) + " holds no whole numbers");
  std::vector<std::int32_t> out(elements_of(tensor));
  std::string outside;
  visit_elements(tensor, [&](const auto& values) {
    using Value = decltype(values(0));
    if constexpr (std::is_integral_v<Value>) {
      for (std::size_t i = 0; i < out.size(); ++i) {
        const Value value = values(i);
        if (!std::in_range<std::int32_t>(value)) {
          outside = "element " + std::to_string(i) + " is " + std::to_string(value) + ", outside 32 bits";
          return;
        }
        out[i] = static_cast<std::int32_t>(value);
      }
    }
  });
  if (!outside.empty()) return error(outside);
  return out;
}

Result<std::vector<std::byte>> to_storage(const StoredTensor& tensor, DType dtype) {
  if (!is_enumerator(tensor.type)) return fault_of(tensor, no_enumerator("its type", tensor.type));
  if (!is_enumerator(dtype)) return fault_of(tensor, no_enumerator("the storage type", dtype));
  switch (dtype) {
    case DType::f32:
      return bytes_of<float>(tensor, [](auto x) { return static_cast<float>(x); });
    case DType::f16:
      return bytes_of<std::uint16_t>(tensor, [](auto x) { return half_from_float(static_cast<float>(x)); });
    case DType::bf16:
      return bytes_of<std::uint16_t>(tensor, [](auto x) { return bfloat_from_float(static_cast<float>(x)); });
    case DType::boolean: {
      const auto is_set = [](auto x) {
        if constexpr (std::is_integral_v<decltype(x)>)
          return x != 0;
        else
          return static_cast<double>(x) != 0;
      };
      return bytes_of<std::uint32_t>(tensor, [&](auto x) { return is_set(x) ? 1u : 0u; });
    }
    case DType::i32:
      break;
  }
  Result<std::vector<std::int32_t>> values = to_i32(tensor);
  if (!values) return values.error();
  const std::span<const std::byte> bytes = std::as_bytes(std::span(*values));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

}  // namespace fovea::io
