#include "run/bind.hpp"

#include "base/text.hpp"

#include <string>

namespace fovea::run {
namespace {

template <class... Values>
Error refuse(const Values&... values) {
  return {ErrorCode::invalid_argument, cat("bind: ", values...)};
}

const char* to_string(compile::ExternalRole role) {
  switch (role) {
    case compile::ExternalRole::input:
      return "input";
    case compile::ExternalRole::parameter:
      return "parameter";
    case compile::ExternalRole::output:
      return "output";
  }
  return "port";
}

std::string names_of(const compile::Program& program) {
  std::string names;
  for (const compile::External& external : program.externals) names += (names.empty() ? "" : ", ") + external.name;
  return names.empty() ? "none" : names;
}

Result<void> check_range(const compile::External& external, const NamedRange& range, std::uint64_t alignment) {
  if (!range.buffer) return refuse("'", range.name, "' has a null buffer");
  if (range.offset % alignment != 0)
    return refuse("'", range.name, "' starts at byte ", range.offset, ", not a multiple of the device's ", alignment);
  if (range.size < external.bytes)
    return refuse("'", range.name, "' has ", range.size, " bytes, ", to_string(external.role), ' ',
                  fovea::to_string(external.dtype), fovea::to_string(external.shape), " needs ", external.bytes);
  const std::uint64_t size = (range.size == UINT64_MAX ? external.bytes : range.size) + range.margin;
  if (range.offset > range.buffer_size || size > range.buffer_size - range.offset)
    return refuse("'", range.name, "' at ", range.offset, " + ", size, " passes the end of a buffer of at most ",
                  range.buffer_size, " bytes");
  return {};
}

bool overlap(const NamedRange& a, std::uint64_t a_bytes, const NamedRange& b, std::uint64_t b_bytes) {
  return a.buffer == b.buffer && a.offset < b.offset + b_bytes && b.offset < a.offset + a_bytes;
}

// Programs are scheduled as if every port had bytes of its own.
Result<void> check_overlap(const compile::Program& program, std::span<const NamedRange> ranges) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const compile::External& external = program.externals[i];
    if (external.role != compile::ExternalRole::output && !external.updated) continue;
    for (std::size_t j = 0; j < ranges.size(); ++j)
      if (i != j && overlap(ranges[i], program.externals[i].bytes, ranges[j], program.externals[j].bytes))
        return refuse(external.updated ? "updated parameter '" : "output '", ranges[i].name, "' shares bytes with '", ranges[j].name, "'");
  }
  return {};
}

}  // namespace

Result<std::vector<NamedRange>> match(const compile::Program& program, std::span<const NamedRange> given,
                                      std::uint64_t alignment) {
  std::vector<NamedRange> ranges(program.externals.size());
  std::vector<bool> bound(program.externals.size());
  for (const NamedRange& range : given) {
    std::size_t i = 0;
    while (i < ranges.size() && program.externals[i].name != range.name) ++i;
    if (i == ranges.size()) return refuse("no port '", range.name, "'; the plan has ", names_of(program));
    if (bound[i]) return refuse("'", range.name, "' is bound twice");
    if (Result<void> checked = check_range(program.externals[i], range, alignment); !checked) return checked.error();
    bound[i] = true;
    ranges[i] = range;
  }
  std::string missing;
  int count = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i)
    if (!bound[i]) missing += cat(count++ ? ", " : "", to_string(program.externals[i].role), " '", program.externals[i].name, '\'');
  if (count > 0) return refuse(missing, count == 1 ? " is not bound" : " are not bound");
  if (Result<void> checked = check_overlap(program, ranges); !checked) return checked.error();
  return ranges;
}

}  // namespace fovea::run
