#include "bench/peer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace bench {

Peer::Peer(std::string name, std::string command, std::filesystem::path folder, int patience)
    : name_(std::move(name)), command_(std::move(command)), folder_(std::move(folder)), patience_(patience) {
  std::signal(SIGPIPE, SIG_IGN);  // one that has ended is noticed where its answer is read
  std::filesystem::create_directories(folder_);
  start();
}

Peer::~Peer() {
  stop();
}

void Peer::start() {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || (process_ = fork()) < 0) {
    absent_ = "no process to be had";
    return;
  }
  if (process_ == 0) {
    dup2(in[0], 0), dup2(out[1], 1);
    const std::string line = "exec " + command_ + " \"$0\"";
    execl("/bin/sh", "/bin/sh", "-c", line.c_str(), folder_.c_str(), nullptr);
    _exit(127);
  }
  close(in[0]), close(out[1]);
  to_ = in[1], from_ = out[0];
  bool in_time = true;
  const std::string line = read_line(in_time);
  if (line.starts_with("ready "))
    description_ = line.substr(6);
  else
    absent_ = line.empty() ? "it did not start: " + command_ : line;
}

void Peer::stop() {
  if (process_ <= 0) return;
  close(to_), close(from_);  // the end of its input is the peer's
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

std::string Peer::read_line(bool& in_time) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(patience_);
  std::string line;
  for (char c = 0;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd waits{from_, POLLIN, 0};
    in_time = poll(&waits, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) > 0;
    if (!in_time) return "";
    if (read(from_, &c, 1) != 1 || c == '\n') return line;
    line += c;
  }
}

std::string Peer::ask(const std::string& line, std::string& why) {
  if (!absent_.empty()) return why = absent_, "";
  bool in_time = true;
  const bool sent = write(to_, (line + '\n').c_str(), line.size() + 1) > 0;
  const std::string answer = sent ? read_line(in_time) : "";
  if (answer.starts_with("ok")) return answer.substr(2);
  if (!in_time) {
    kill(process_, SIGKILL);
    stop();
    start();
    return why = "it took more than " + std::to_string(patience_) + " s to " + line, "";
  }
  if (answer.empty()) absent_ = "it ended when asked to " + line;
  why = answer.empty() ? absent_ : answer.starts_with("absent ") ? answer.substr(7) : answer;
  return "";
}

std::string Peer::prepare(const std::string& work) {
  std::string why;
  ask("prepare " + work, why);
  return why;
}

Times Peer::run(std::string& why) {
  Times times;
  const std::string answer = ask("run", why);
  if (why.empty() && std::sscanf(answer.c_str(), "%lf %lf", &times.wall, &times.processor) != 2)
    why = absent_ = "no times in its answer:" + answer;
  return times;
}

void Peer::drop() {
  std::string why;
  ask("drop", why);
}

}  // namespace bench
