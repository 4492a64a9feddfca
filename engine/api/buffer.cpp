#include "api/internal.hpp"

namespace fovea {
namespace {

Result<void> check_range(const char* what, std::uint64_t offset, std::uint64_t bytes, std::uint64_t size) {
  if (offset <= size && bytes <= size - offset) return {};
  return Error{ErrorCode::invalid_argument,
               cat(what, ": bytes ", offset, " to ", offset, " + ", bytes, " of a buffer of ", size)};
}

}  // namespace

Buffer::Buffer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Buffer::~Buffer() = default;
Buffer::Buffer(Buffer&&) noexcept = default;
Buffer& Buffer::operator=(Buffer&&) noexcept = default;

std::uint64_t Buffer::size() const {
  return impl_->buffer.size();
}
std::byte* Buffer::data() {
  return impl_->buffer.data();
}
const std::byte* Buffer::data() const {
  return impl_->buffer.data();
}

Result<void> Buffer::upload(std::span<const std::byte> bytes, std::uint64_t offset) {
  if (Result<void> checked = check_range("upload", offset, bytes.size(), size()); !checked) return checked;
  return vk::upload(*impl_->context->device, impl_->buffer, offset, bytes);
}

Result<void> Buffer::download(std::span<std::byte> bytes, std::uint64_t offset) const {
  if (Result<void> checked = check_range("download", offset, bytes.size(), size()); !checked) return checked;
  return vk::download(*impl_->context->device, impl_->buffer, offset, bytes);
}

}  // namespace fovea
