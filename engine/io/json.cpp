#include "io/json.hpp"

#include <set>
#include <string>
#include <vector>

namespace fovea::io {
namespace {

constexpr std::size_t max_depth = 16;

// Looks for what the parser that builds values does not tell: where a text breaks, and keys that stand twice.
struct Inspector : nlohmann::json_sax<Json> {
  std::string problem;
  std::vector<std::set<std::string>> keys;  // of the objects that are open; an empty set for an array

  bool open() {
    keys.emplace_back();
    if (keys.size() <= max_depth) return true;
    problem = "nested deeper than " + std::to_string(max_depth);
    return false;
  }
  bool close() {
    keys.pop_back();
    return true;
  }
  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (keys.back().insert(name).second) return true;
    problem = "the key '" + name + "' stands twice";
    return false;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    problem = "not JSON from byte " + std::to_string(position) + " on";
    return false;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
};

}  // namespace

Result<Json> parse_json(std::string_view text) {
  Inspector inspector;
  if (!Json::sax_parse(text, &inspector)) return Error{ErrorCode::io, inspector.problem};
  return Json::parse(text, nullptr, false);
}

bool dump_json(const Json& value, std::string& text) {
  text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(text, nullptr, false) == value;  // differs where a byte was replaced
}

}  // namespace fovea::io
