#include "vk/cache_blob.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace fovea;
using namespace fovea::vk;

namespace {

CacheOwner some_owner() {
  CacheOwner owner;
  owner.driver_uuid.fill(7);
  owner.cache_uuid.fill(8);
  owner.vendor_id = 0x10005;
  owner.driver_version = 3;
  return owner;
}

std::vector<std::byte> some_payload() {
  std::vector<std::byte> payload(100);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::byte>(i * 37);
  return payload;
}

bool refused_with(const Result<std::span<const std::byte>>& result, const std::string& text) {
  return !result && result.error().message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a pipeline cache comes back as it was put in") {
  const std::vector<std::byte> payload = some_payload();
  const std::vector<std::byte> blob = wrap_cache(some_owner(), payload);
  const auto read = unwrap_cache(some_owner(), blob);
  REQUIRE(read);
  CHECK(std::equal(read->begin(), read->end(), payload.begin(), payload.end()));
  CHECK(unwrap_cache(some_owner(), wrap_cache(some_owner(), {})));  // a driver may have nothing to keep
}

TEST_CASE("a truncated pipeline cache is refused at every length") {
  const std::vector<std::byte> blob = wrap_cache(some_owner(), some_payload());
  for (std::size_t length = 0; length < blob.size(); ++length)
    CHECK(refused_with(unwrap_cache(some_owner(), std::span(blob).first(length)), "truncated"));
}

TEST_CASE("a pipeline cache with one flipped bit is refused, wherever the bit is") {
  const std::vector<std::byte> blob = wrap_cache(some_owner(), some_payload());
  for (std::size_t at = 0; at < blob.size(); ++at) {
    std::vector<std::byte> damaged = blob;
    damaged[at] ^= std::byte{0x10};
    CHECK_FALSE(unwrap_cache(some_owner(), damaged));
  }
}

TEST_CASE("a pipeline cache with something appended is refused") {
  std::vector<std::byte> blob = wrap_cache(some_owner(), some_payload());
  blob.push_back(std::byte{0});
  CHECK(refused_with(unwrap_cache(some_owner(), blob), "damaged"));
}

TEST_CASE("another driver's or device's pipeline cache is refused") {
  const std::vector<std::byte> blob = wrap_cache(some_owner(), some_payload());
  CacheOwner other = some_owner();
  other.driver_uuid[3] = 1;
  CHECK(refused_with(unwrap_cache(other, blob), "another driver"));
  other = some_owner();
  other.driver_version = 4;
  CHECK(refused_with(unwrap_cache(other, blob), "another driver"));
  other = some_owner();
  other.device_id = 1;
  CHECK(refused_with(unwrap_cache(other, blob), "another driver"));
  other = some_owner();
  other.cache_uuid[15] = 0;
  CHECK(refused_with(unwrap_cache(other, blob), "another driver"));
}

TEST_CASE("what was measured follows the pipelines, and each part is told from the other") {
  const CacheOwner owner = some_owner();
  const std::vector<std::byte> pipelines = wrap_cache(owner, some_payload());
  const std::vector<std::byte> tuning = wrap_cache(owner, some_payload(), CachePart::tuning);
  CHECK(end_of_pipelines(pipelines) == pipelines.size());
  CHECK(refused_with(unwrap_cache(owner, tuning), "pipeline cache: not one"));
  CHECK(refused_with(unwrap_cache(owner, pipelines, CachePart::tuning), "tuning: not one"));
  std::vector<std::byte> both = pipelines;
  both.insert(both.end(), tuning.begin(), tuning.end());
  for (std::size_t length = 0; length <= both.size(); ++length) {
    const std::span blob = std::span(both).first(length);
    const std::size_t end = end_of_pipelines(blob);
    CHECK(end == std::min(length, pipelines.size()));
    CHECK(static_cast<bool>(unwrap_cache(owner, blob.first(end))) == (length >= pipelines.size()));
    CHECK(static_cast<bool>(unwrap_cache(owner, blob.subspan(end), CachePart::tuning)) == (length == both.size()));
  }
  std::fill_n(both.begin() + 56, 8, std::byte{0xff});  // a size that no blob has
  CHECK(end_of_pipelines(both) == both.size());
}
