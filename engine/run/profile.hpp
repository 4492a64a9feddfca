#pragma once
// Timestamps around the dispatches of one Executor.

#include "vk/handle.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
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

  // One interval a dispatch, of the last run that has finished; empty before that. Does not wait.
  std::vector<Interval> read() const;

 private:
  const vk::Device* device_ = nullptr;
  vk::QueryPool pool_;
  std::uint32_t count_ = 0;
  std::unique_ptr<std::atomic<bool>> readable_;  // the queries have been reset, or recorded commands will
};

}  // namespace fovea::run
