#pragma once
#include <fovea/context.hpp>  // LogLevel, LogFunction

#include "base/text.hpp"

namespace fovea {

template <class... Values>
void log_message(const LogFunction& sink, LogLevel level, const Values&... values) {
  if (sink) sink(level, cat(values...));
}

}  // namespace fovea
