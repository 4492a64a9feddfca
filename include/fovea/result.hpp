#pragma once
// Errors as values. No exception leaves or crosses Fovea's API, and the engine builds without exceptions and RTTI.

#include <string>
#include <utility>
#include <variant>

namespace fovea {

enum class ErrorCode {
  invalid_argument,  // a shape, dtype, attribute, name or range the call cannot accept
  unsupported,       // right in itself, but this device or build cannot do it
  out_of_memory,     // host or device memory, or a limit the caller set
  device,            // a Vulkan call failed; the message carries its name and VkResult
  device_lost,       // VK_ERROR_DEVICE_LOST: objects of the Context can only be destroyed, in any order
  timeout,           // the caller's time has passed; what was submitted goes on, and destructors wait for it
  io,                // a file is missing, truncated, or not what it says it is
  internal,          // a defect of Fovea: please report the message
};

// The enumerator's name, as to_string of every enumeration; of a number that none has, "enumerator 99".
const char* to_string(ErrorCode code);

// What went wrong, where, and with which values: "attention: k has 3 heads, which does not divide q's 8 (model.cpp:41)".
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

// Prints the message to stderr and aborts. Reached only through value() of a failed Result.
[[noreturn]] void die(const Error& error);

// A value, or the Error that stands in its place. Test it before use: `if (!plan) return plan.error();`
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  // Precondition: holds a value; otherwise prints the error and aborts.
  T& value() & { return check(), *std::get_if<0>(&state_); }
  const T& value() const& { return check(), *std::get_if<0>(&state_); }
  T&& value() && { return check(), std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  // Precondition: holds an error.
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  void check() const {
    if (state_.index() != 0) die(*std::get_if<1>(&state_));
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : failed_(true), error_(std::move(error)) {}

  explicit operator bool() const { return !failed_; }
  void value() const {
    if (failed_) die(error_);
  }
  const Error& error() const { return error_; }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace fovea
