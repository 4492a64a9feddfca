#pragma once
// Seconds that one run took.

#include <chrono>
#include <ctime>

namespace bench {

struct Times {
  double wall = 0;       // by the clock, from asking to the finished result
  double processor = 0;  // of all threads of the process: CPU drivers run in it, and it counts nobody else's load
  double device = 0;     // by the device's own timestamps, first dispatch to last; 0: it has none
};

class Stopwatch {
 public:
  Times stop() const {
    return {std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count(),
            processor_time() - processor_, 0};
  }

 private:
  static double processor_time() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  }
  double processor_ = processor_time();
  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
};

}  // namespace bench
