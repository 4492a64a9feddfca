#pragma once
// An operator's attributes (its Desc without the tensors), type-erased so that a Node can hold any of them.
//
// An attribute type T is a plain struct with defaults and, beside it, a function
//   template <class F> void describe(const T& t, F&& field) { field("axis", t.axis); ... }
// from which printing and comparison follow. Members: bool, integers, float, double, enums with to_string, std::string,
// std::array and std::vector of those. A member that describe() leaves out is an assertion that fails, unless T's
// `undescribed` counts it.

#include "base/text.hpp"

#include <array>
#include <cassert>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace fovea::ir {

namespace detail {

// Declared before use: lists may hold lists.
template <class T, std::size_t N>
void append_field(std::string& out, const std::array<T, N>& values);
template <class T>
void append_field(std::string& out, const std::vector<T>& values);

template <class T>
void append_field(std::string& out, const T& value) {
  if constexpr (std::is_enum_v<T>)
    out += to_string(value);
  else
    append_text(out, value);
}
template <class T>
void append_list(std::string& out, const T& values) {
  out += '[';
  bool first = true;
  for (const auto& value : values) {
    if (!first) out += ',';
    first = false;
    append_field(out, value);
  }
  out += ']';
}
template <class T, std::size_t N>
void append_field(std::string& out, const std::array<T, N>& values) { append_list(out, values); }
template <class T>
void append_field(std::string& out, const std::vector<T>& values) { append_list(out, values); }

// Members of an aggregate: as many as it can be made from.
struct Anything {
  template <class T>
  operator T() const;
};
template <class T, class... Members>
constexpr std::size_t member_count() {
  if constexpr (requires { T{Members{}..., Anything{}}; })
    return member_count<T, Members..., Anything>();
  else
    return sizeof...(Members);
}
// Whether `describe` names as many as there are: what it leaves out would neither be printed nor compared.
template <class T>
bool describes_all() {
  std::size_t described = 0;
  describe(T{}, [&](const char*, const auto&) { ++described; });
  if constexpr (requires { T::undescribed; }) described += T::undescribed;
  return described >= member_count<T>();
}

}  // namespace detail

class Attrs {
 public:
  Attrs() = default;

  template <class T>
  static Attrs of(T value) {
    static const bool whole = detail::describes_all<T>();
    assert(whole && "describe() leaves out a member");
    Attrs attrs;
    attrs.data_ = std::make_shared<const T>(std::move(value));
    attrs.text_ = &text_of<T>;
    return attrs;
  }
  // T is the type that the operator's definition made it of.
  template <class T>
  const T& as() const {
    assert(data_ && text_ == &text_of<T>);
    return *static_cast<const T*>(data_.get());
  }
  bool empty() const { return !data_; }
  // The members that differ from their defaults (or all of them): "axis = -1, causal = true".
  std::string text(bool all = false) const { return data_ ? text_(data_.get(), all) : std::string(); }
  bool operator==(const Attrs& other) const {
    return text_ == other.text_ && (data_ == other.data_ || text(true) == other.text(true));
  }

 private:
  template <class T>
  static std::string text_of(const void* data, bool all) {
    std::vector<std::string> defaults;
    describe(T{}, [&](const char*, const auto& value) { detail::append_field(defaults.emplace_back(), value); });
    std::string out;
    std::size_t i = 0;
    describe(*static_cast<const T*>(data), [&](const char* name, const auto& value) {
      std::string text;
      detail::append_field(text, value);
      if (all || text != defaults[i]) {
        if (!out.empty()) out += ", ";
        out += name, out += " = ", out += text;
      }
      ++i;
    });
    return out;
  }

  std::shared_ptr<const void> data_;
  std::string (*text_)(const void*, bool) = nullptr;
};

}  // namespace fovea::ir
