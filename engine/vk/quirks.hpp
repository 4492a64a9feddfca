#pragma once
// Drivers that do less, or other, than they say. The only place that knows vendors and drivers by name.

#include "base/device_caps.hpp"

#include <span>

namespace fovea::vk {

struct Quirk {
  const char* driver;  // which, for people: "lavapipe 22.3.x"
  const char* symptom;
  const char* source;  // how it was found, when
  bool (*matches)(const DeviceCaps& caps);
  void (*apply)(DeviceCaps& caps);
};

std::span<const Quirk> quirks();
// Corrects the caps by every quirk that matches.
void apply_quirks(DeviceCaps& caps);

}  // namespace fovea::vk
