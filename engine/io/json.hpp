#pragma once
// nlohmann's JSON, read without exceptions and with the strictness a file format deserves.

#include <fovea/result.hpp>

#include <nlohmann/json.hpp>

#include <string_view>

namespace fovea::io {

using Json = nlohmann::json;

// Errors (io), without the file's name: not JSON (with the byte where it breaks), a key given twice in one object,
// nesting deeper than 16 (a hostile file would otherwise cost memory out of proportion).
Result<Json> parse_json(std::string_view text);

// The text of a value; false when a string in it is not UTF-8.
bool dump_json(const Json& value, std::string& text);

}  // namespace fovea::io
