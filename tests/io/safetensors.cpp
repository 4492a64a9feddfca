#include "tests/io/folder.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

using namespace fovea;
using namespace fovea::test;
using io::ElementType;
using io::StoredTensor;

namespace {

// A file of this header, whose length is written truly, and so many bytes 0, 1, 2, ... of data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i));
  file += header;
  for (std::size_t i = 0; i < data_bytes; ++i) file += static_cast<char>(i);
  return file;
}

Result<io::Safetensors> parse(const std::string& file) {
  return io::Safetensors::parse(std::as_bytes(std::span(file)), "t.safetensors");
}

template <class T>
StoredTensor stored(std::string name, ElementType type, Shape shape, const std::vector<T>& values) {
  return {std::move(name), type, shape, std::as_bytes(std::span(values))};
}

}  // namespace

TEST_CASE("what is written is read back, aligned, with its metadata") {
  const Folder folder;
  const std::vector<float> matrix{1, -2, 3.5f, INFINITY, -0.0f, 1e-40f};
  const std::vector<std::int64_t> wide{-1, std::int64_t{1} << 40};
  const std::vector<std::uint8_t> flags{1, 0, 1};
  const std::vector<double> scalar{0.1};
  const std::vector<float> none;
  const std::array tensors{
      stored("flags", ElementType::boolean, {3}, flags), stored("matrix", ElementType::f32, {2, 3}, matrix),
      stored("none", ElementType::f32, {4, 0}, none), stored("scalar", ElementType::f64, {}, scalar),
      stored("wide", ElementType::i64, {2, 1}, wide)};
  const io::Metadata metadata{{"format", "pt"}, {"note", "\"quoted\"\n\xc3\xa9"}};
  const auto path = folder / "t.safetensors";
  REQUIRE(io::write_safetensors(path, tensors, metadata));
  CHECK(folder.files() == 1);

  Result<io::Safetensors> file = io::Safetensors::open(path);
  REQUIRE(file);
  CHECK(file->metadata() == metadata);
  CHECK(file->tensors().size() == 5);
  for (const StoredTensor& tensor : tensors) {
    const StoredTensor* read = file->find(tensor.name);
    REQUIRE(read != nullptr);
    CHECK(read->type == tensor.type);
    CHECK(read->shape == tensor.shape);
    CHECK(std::equal(read->bytes.begin(), read->bytes.end(), tensor.bytes.begin(), tensor.bytes.end()));
    CHECK(reinterpret_cast<std::uintptr_t>(read->bytes.data()) % io::size_of(read->type) == 0);
  }
  CHECK(file->find("absent") == nullptr);
  CHECK(io::to_f32(*file->find("matrix")) == matrix);
  CHECK(io::to_f32(*file->find("scalar")) == std::vector<float>{0.1f});

  io::Safetensors moved = std::move(*file);  // views of names and bytes survive
  CHECK(io::to_f32(*moved.find("flags")) == std::vector<float>{1, 0, 1});
}

TEST_CASE("a file without tensors, and one without metadata, is a file") {
  const Folder folder;
  REQUIRE(io::write_safetensors(folder / "empty", {}));
  Result<io::Safetensors> file = io::Safetensors::open(folder / "empty");
  REQUIRE(file);
  CHECK(file->tensors().empty());
  CHECK(file->metadata().empty());
  CHECK(static_cast<bool>(parse(file_of("{}   \n", 0))));
}

TEST_CASE("every damage to a header is an error that names file, tensor and values") {
  struct Damage {
    const char* header;
    std::size_t data_bytes;
    std::initializer_list<std::string> texts;
  };
  const Damage damages[] = {
      {"", 0, {"t.safetensors: its header is not JSON"}},
      {"{\"a\":", 0, {"not JSON from byte"}},
      {"{} x", 0, {"not JSON"}},
      {"\xff\xfe", 0, {"not JSON"}},
      {"{\"a\xff\":{}}", 0, {"not JSON"}},
      {"[]", 0, {"not a JSON object"}},
      {"7", 0, {"not a JSON object"}},
      {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", 0, {"nested deeper than 16"}},
      {R"({"__metadata__":[]})", 0, {"'__metadata__' is not an object"}},
      {R"({"__metadata__":{"epoch":3}})", 0, {"'epoch' is not a string"}},
      {R"({"__metadata__":{"a":"1","a":"2"}})", 0, {"the key 'a' stands twice"}},
      {R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8,
       {"the key 'w' stands twice"}},
      {R"({"w":7})", 0, {"tensor 'w'", "not an object"}},
      {R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4, {"tensor 'w'", "'dtype' is missing"}},
      {R"({"w":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", 4, {"'dtype' is missing or not a string"}},
      {R"({"w":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4, {"tensor 'w'", "element type 'F31' is unknown"}},
      {R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4, {"'shape' is missing"}},
      {R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, {"'shape' holds -1"}},
      {R"({"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, {"'shape' holds 1.5"}},
      {R"({"w":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4, {"'shape' holds \"1\""}},
      {R"({"w":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}})", 4, {"9223372036854775808"}},
      {R"({"w":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4, {"has 9 axes; at most 8"}},
      {R"({"w":{"dtype":"F32","shape":[1]}})", 4, {"'data_offsets' is missing"}},
      {R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, {"not two byte offsets"}},
      {R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})", 4, {"not two byte offsets"}},
      {R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4.0]}})", 4, {"not two byte offsets"}},
      {R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, {"tensor 'w'", "ends before it begins", "4..0"}},
      {R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7, {"tensor 'w'", "0..8", "end at 7", "truncated"}},
      {R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]}})",
       4,
       {"tensor 'w'", "18446744073709551615", "end at 4"}},
      {R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}})",
       20,
       {"tensor 'w'", "F32[2,3] takes 24 bytes", "20"}},
      {R"({"w":{"dtype":"F64","shape":[2147483648,2147483648],"data_offsets":[0,8]}})", 8, {"tensor 'w'", "64 bits"}},
      // 4·(2^62+1) wraps around to 4
      {R"({"w":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4, {"tensor 'w'", "64 bits"}},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}})",
       5,
       {"tensor 'b'", "2..5", "overlap", "'a'", "end at 3"}},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})",
       6,
       {"tensor 'b'", "4..6", "hole", "ends at 3"}},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})", 4, {"tensor 'a'", "hole", "ends at 0"}},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", 5, {"2 bytes at the end belong to no tensor"}},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"z":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
       4,
       {"tensor 'z'", "overlap"}},
  };
  for (const Damage& damage : damages) {
    CAPTURE(damage.header);
    const std::string file = file_of(damage.header, damage.data_bytes);
    check_error(parse(file), ErrorCode::io, {"t.safetensors: "});
    check_error(parse(file), ErrorCode::io, damage.texts);
  }
}

TEST_CASE("a header length that lies is an error") {
  const std::string sound = file_of(R"({"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2);
  REQUIRE(static_cast<bool>(parse(sound)));
  std::string longer = sound;
  longer[1] = 1;  // 256 bytes more than there are
  check_error(parse(longer), ErrorCode::io, {"truncated: a header of", "in a file of 63"});
  std::string huge = sound;
  huge[7] = static_cast<char>(0xff);  // nearly 2^64: 8 + length wraps around
  check_error(parse(huge), ErrorCode::io, {"over the limit of 100000000"});
  check_error(parse("\x05"), ErrorCode::io, {"1 bytes are no safetensors file"});
  check_error(parse(""), ErrorCode::io, {"0 bytes are no safetensors file"});
}

TEST_CASE("a file cut off anywhere is an error, and so is one with a byte too many") {
  const Folder folder;
  const std::vector<float> values{1, 2, 3};
  const std::array tensors{stored("w", ElementType::f32, {3}, values)};
  REQUIRE(io::write_safetensors(folder / "t", tensors, {{"a", "b"}}));
  const std::string sound = read_bytes(folder / "t");
  for (std::size_t length = 0; length < sound.size(); ++length) {
    CHECK_FALSE(static_cast<bool>(parse(sound.substr(0, length))));
  }
  CHECK_FALSE(static_cast<bool>(parse(sound + "x")));
}

TEST_CASE("no change of one byte does harm") {
  const Folder folder;
  const std::vector<float> values{1, 2, 3};
  const std::array tensors{stored("w", ElementType::f32, {3}, values)};
  REQUIRE(io::write_safetensors(folder / "t", tensors, {{"a", "b"}}));
  const std::string sound = read_bytes(folder / "t");
  for (std::size_t i = 0; i < sound.size(); ++i) {
    for (const int flip : {0x01, 0x02, 0x10, 0x20, 0x80}) {
      std::string changed = sound;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      if (Result<io::Safetensors> file = parse(changed); file) {
        for (const StoredTensor& tensor : file->tensors()) (void)io::to_f32(tensor);
      }
    }
  }
}

TEST_CASE("writing refuses tensors that no reader would take, and leaves no file") {
  const Folder folder;
  const std::vector<float> values{1, 2, 3};
  const auto refused = [&](std::vector<StoredTensor> tensors, std::initializer_list<std::string> texts,
                           const io::Metadata& metadata = {}) {
    check_error(io::write_safetensors(folder / "t", tensors, metadata), ErrorCode::invalid_argument, texts);
  };
  refused({stored("w", ElementType::f32, {4}, values)}, {"tensor 'w'", "F32[4]", "12 bytes"});
  refused({stored("w", ElementType::f64, {1}, values)}, {"F64[1]", "12 bytes"});
  refused({stored("w", ElementType::f32, {-3}, values)}, {"shape is invalid"});
  refused({stored("w", ElementType::f32, {3}, values), stored("w", ElementType::f32, {3}, values)}, {"given twice"});
  refused({stored("__metadata__", ElementType::f32, {3}, values)}, {"format's own"});
  refused({stored("w\xff", ElementType::f32, {3}, values)}, {"not UTF-8"});
  refused({stored("w", ElementType::f32, {3}, values)}, {"not UTF-8"}, {{"a", "\xc3"}});
  CHECK(folder.files() == 0);
}

TEST_CASE("every element type converts to f32") {
  const auto converted = [](ElementType type, const auto& values) {
    return io::to_f32(stored("x", type, {static_cast<std::int64_t>(values.size())}, values));
  };
  CHECK(converted(ElementType::boolean, std::vector<std::uint8_t>{0, 1, 2}) == std::vector<float>{0, 1, 1});
  CHECK(converted(ElementType::u8, std::vector<std::uint8_t>{255}) == std::vector<float>{255});
  CHECK(converted(ElementType::i8, std::vector<std::int8_t>{-128}) == std::vector<float>{-128});
  CHECK(converted(ElementType::u16, std::vector<std::uint16_t>{65535}) == std::vector<float>{65535});
  CHECK(converted(ElementType::i16, std::vector<std::int16_t>{-32768}) == std::vector<float>{-32768});
  CHECK(converted(ElementType::u32, std::vector<std::uint32_t>{1u << 31}) == std::vector<float>{0x1p31f});
  CHECK(converted(ElementType::i32, std::vector<std::int32_t>{-7}) == std::vector<float>{-7});
  CHECK(converted(ElementType::u64, std::vector<std::uint64_t>{std::uint64_t{1} << 63}) == std::vector<float>{0x1p63f});
  CHECK(converted(ElementType::i64, std::vector<std::int64_t>{-9}) == std::vector<float>{-9});
  CHECK(converted(ElementType::f16, std::vector<std::uint16_t>{0x3c00, 0xc000, 0x7c00, 0x0001}) ==
        std::vector<float>{1, -2, INFINITY, 0x1p-24f});
  CHECK(converted(ElementType::bf16, std::vector<std::uint16_t>{0x3f80, 0xc000}) == std::vector<float>{1, -2});
  CHECK(converted(ElementType::f64, std::vector<double>{1.0 / 3}) == std::vector<float>{1.0f / 3});
}

TEST_CASE("integers convert to i32 where they fit") {
  const std::vector<std::int64_t> fitting{std::numeric_limits<std::int32_t>::min(),
                                          std::numeric_limits<std::int32_t>::max()};
  Result<std::vector<std::int32_t>> values = io::to_i32(stored("x", ElementType::i64, {2}, fitting));
  REQUIRE(values);
  CHECK(std::vector<std::int64_t>(values->begin(), values->end()) == fitting);
  const std::vector<std::int64_t> wide{0, std::int64_t{1} << 31};
  check_error(io::to_i32(stored("x", ElementType::i64, {2}, wide)), ErrorCode::invalid_argument,
              {"tensor 'x'", "element 1 is 2147483648"});
  const std::vector<float> floats{1};
  check_error(io::to_i32(stored("x", ElementType::f32, {1}, floats)), ErrorCode::invalid_argument,
              {"tensor 'x'", "F32"});
}

TEST_CASE("storage of a port: 16-bit floats, words for booleans") {
  const std::vector<float> values{1.0f, 1.0f + 0x1p-11f, 0.0f, NAN};
  const StoredTensor tensor = stored("x", ElementType::f32, {4}, values);
  const auto words = [&](DType dtype, auto word) {
    Result<std::vector<std::byte>> bytes = io::to_storage(tensor, dtype);
    REQUIRE(bytes);
    std::vector<decltype(word)> out(bytes->size() / sizeof(word));
    std::memcpy(out.data(), bytes->data(), bytes->size());
    return out;
  };
  CHECK(words(DType::f16, std::uint16_t{}) == std::vector<std::uint16_t>{0x3c00, 0x3c00, 0, 0x7e00});
  CHECK(words(DType::bf16, std::uint16_t{}) == std::vector<std::uint16_t>{0x3f80, 0x3f80, 0, 0x7fc0});
  CHECK(words(DType::boolean, std::uint32_t{}) == std::vector<std::uint32_t>{1, 1, 0, 1});  // NaN != 0
  CHECK_FALSE(static_cast<bool>(io::to_storage(tensor, DType::i32)));
}

TEST_CASE("a number that is no element type has a name, no elements, and no place in a file") {
  const Folder folder;
  const std::vector<std::uint8_t> bytes{1, 2, 3, 4};
  const StoredTensor none = stored("t", static_cast<ElementType>(99), {4}, bytes);
  CHECK(std::string(to_string(none.type)) == "enumerator 99");
  for (int number = 0; number <= static_cast<int>(ElementType::f64); ++number)
    CHECK(std::string(to_string(static_cast<ElementType>(number))).find(' ') == std::string::npos);
  CHECK(to_f32(none).empty());
  const auto refused = [](const auto& result, const char* text) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::invalid_argument);
    CHECK_MESSAGE(result.error().message.find(text) != std::string::npos, result.error().message);
  };
  refused(to_i32(none), "tensor 't': its type is enumerator 99");
  refused(to_storage(none, DType::f32), "tensor 't': its type is enumerator 99");
  refused(to_storage(stored("t", ElementType::u8, {4}, bytes), static_cast<DType>(99)), "tensor 't': the storage type is enumerator 99");
  refused(write_safetensors(folder / "t.safetensors", std::span(&none, 1)), "tensor 't': its type is enumerator 99");
}
