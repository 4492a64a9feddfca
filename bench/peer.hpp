#pragma once
// A peer does the work of a row when it is asked to: a program of its own, because its libraries may need another C
// library, that is asked for one measurement at a time, so that both sides of a ratio alternate. peers/README.md has
// the protocol.

#include "bench/measure.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace bench {

class Peer {
 public:
  // Starts a shell's command with `folder`, where operands and result are handed over, as its last argument.
  Peer(std::string name, const std::string& command, const std::filesystem::path& folder);
  ~Peer();
  Peer(const Peer&) = delete;

  const std::string& name() const { return name_; }
  // What it says of itself: versions, device, settings.
  const std::string& description() const { return description_; }
  // Why it can do nothing, or nothing more; empty while it can.
  const std::string& absent() const { return absent_; }

  // Makes it ready for a work, which it does once. Returns why it cannot; empty: it can.
  std::string prepare(const std::string& work);
  // Does the work. Zeros once absent() has a reason.
  Times run();
  // Forgets the work.
  void drop();

 private:
  // One line each way. Without its first word `ok`; otherwise empty, and `why` is set.
  std::string ask(const std::string& line, std::string& why);
  std::string read_line();

  std::string name_, description_, absent_;
  int process_ = -1;
  std::FILE *to_ = nullptr, *from_ = nullptr;
};

}  // namespace bench
