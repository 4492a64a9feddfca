#pragma once
// A peer does the work of a row when it is asked to: a program of its own, because its libraries may need another C
// library, that is asked for one measurement at a time, so that both sides of a ratio alternate. peers/README.md has
// the protocol.

#include "bench/measure.hpp"

#include <filesystem>
#include <string>

namespace bench {

class Peer {
 public:
  // Starts a shell's command with `folder`, where operands and result are handed over, as its last argument. A work
  // that it is not ready for, or does not end, in `patience` seconds is ended with it, and it is started anew.
  Peer(std::string name, std::string command, std::filesystem::path folder, int patience = 600);
  ~Peer();
  Peer(const Peer&) = delete;

  const std::string& name() const { return name_; }
  // What it says of itself: versions, device, settings.
  const std::string& description() const { return description_; }
  // Why it can do nothing, or nothing more; empty while it can.
  const std::string& absent() const { return absent_; }

  // Makes it ready for a work, which it does once. Returns why it cannot; empty: it can.
  std::string prepare(const std::string& work);
  // Does the work; or says why it did not.
  Times run(std::string& why);
  // Forgets the work.
  void drop();

 private:
  void start();
  void stop();
  // One line each way. Without its first word `ok`; otherwise empty, and `why` is set.
  std::string ask(const std::string& line, std::string& why);
  // Empty: it ended, or patience did.
  std::string read_line(bool& in_time);

  std::string name_, command_, description_, absent_;
  std::filesystem::path folder_;
  int patience_, process_ = -1, to_ = -1, from_ = -1;
};

}  // namespace bench
