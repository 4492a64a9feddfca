#include "vk/cache_blob.hpp"

#include "base/hash.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cstring>

namespace fovea::vk {
namespace {

// Written as it lies in memory: a cache never leaves the machine, and the magic number tells the byte order.
struct Header {
  std::uint32_t magic, version;
  std::array<std::uint8_t, 16> driver_uuid, cache_uuid;
  std::uint32_t vendor_id, device_id, driver_version, reserved;
  std::uint64_t size;  // of the payload
  std::uint64_t hash;  // of the header with hash 0, then the payload
};
static_assert(sizeof(Header) == 72);

constexpr std::uint32_t version = 1;

std::uint64_t hash_of(Header header, std::span<const std::byte> payload) {
  header.hash = 0;
  return hash_bytes(payload, hash_bytes(std::as_bytes(std::span(&header, 1))));
}

bool same_owner(const Header& header, const CacheOwner& owner) {
  return header.driver_uuid == owner.driver_uuid && header.cache_uuid == owner.cache_uuid &&
         header.vendor_id == owner.vendor_id && header.device_id == owner.device_id &&
         header.driver_version == owner.driver_version;
}

}  // namespace

CacheOwner cache_owner(const DeviceCaps& caps, const std::array<std::uint8_t, 16>& pipeline_cache_uuid) {
  return {caps.driver_uuid, pipeline_cache_uuid, caps.vendor_id, caps.device_id, caps.driver_version};
}

std::vector<std::byte> wrap_cache(const CacheOwner& owner, std::span<const std::byte> payload, CachePart part) {
  Header header{static_cast<std::uint32_t>(part),
                version,
                owner.driver_uuid,
                owner.cache_uuid,
                owner.vendor_id,
                owner.device_id,
                owner.driver_version,
                0,
                payload.size(),
                0};
  header.hash = hash_of(header, payload);
  std::vector<std::byte> blob(sizeof(Header) + payload.size());
  std::memcpy(blob.data(), &header, sizeof(Header));
  std::copy(payload.begin(), payload.end(), blob.begin() + sizeof(Header));
  return blob;
}

Result<std::span<const std::byte>> unwrap_cache(const CacheOwner& owner, std::span<const std::byte> blob, CachePart part) {
  const char* what = part == CachePart::pipelines ? "pipeline cache: " : "tuning: ";
  const auto refuse = [&](auto... why) { return Error{ErrorCode::invalid_argument, cat(what, why...)}; };
  if (blob.size() < sizeof(Header)) return refuse("truncated: ", blob.size(), " bytes");
  Header header;
  std::memcpy(&header, blob.data(), sizeof(Header));
  if (header.magic != static_cast<std::uint32_t>(part) || header.version != version)
    return refuse("not one of this version of Fovea");
  const std::span payload = blob.subspan(sizeof(Header));
  if (header.size > payload.size()) return refuse("truncated: ", payload.size(), " of ", header.size, " bytes");
  if (header.size < payload.size() || header.hash != hash_of(header, payload)) return refuse("damaged");
  if (!same_owner(header, owner)) return refuse("made by another driver or for another device");
  return payload;
}

std::size_t end_of_pipelines(std::span<const std::byte> blob) {
  Header header{};
  if (blob.size() < sizeof(Header)) return blob.size();
  std::memcpy(&header, blob.data(), sizeof(Header));
  const std::size_t rest = blob.size() - sizeof(Header);
  const bool known = header.magic == static_cast<std::uint32_t>(CachePart::pipelines) && header.size < rest;
  return known ? sizeof(Header) + static_cast<std::size_t>(header.size) : blob.size();
}

}  // namespace fovea::vk
