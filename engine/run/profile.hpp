#pragma once
// Timestamps around the dispatches of one Executor.

#include "vk/handle.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace fovea::run {

// Milliseconds since the first timestamp of the run.
struct Interval {
  double start = 0, end = 0;
};

// A Profile made by default records nothing.
class Profile {
 public:
  // Room for this many dispatches. A queue without timestamps gives a Profile that records nothing, and a warning.
  static Result<Profile> create(const vk::Device& device, std::size_t dispatches);

  // Each dispatch lasts from the end of what was recorded before it to its own end: begin, then end(0), end(1)...
  void begin(VkCommandBuffer commands) const;
  void end(VkCommandBuffer commands, std::size_t dispatch) const;

  // The queries of a new pool are undefined until they are reset: by the host where the device lets it, otherwise by the
  // first run.
  bool reset_by_host() const { return device_ && device_->host_query_reset; }
  // Takes the times of the last run, if it has finished; does not wait. Precondition: reset_by_host(), or one run has
  // finished.
  Result<void> update() const;
  // One interval a dispatch, as update() last found a finished run; empty before.
  std::vector<Interval> intervals() const;

 private:
  const vk::Device* device_ = nullptr;
  vk::QueryPool pool_;
  std::uint32_t count_ = 0;
  struct Last {
    std::mutex mutex;
    std::vector<Interval> intervals;
  };
  std::unique_ptr<Last> last_;
};

}  // namespace fovea::run
