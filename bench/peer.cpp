#include "bench/peer.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace bench {

Peer::Peer(std::string name, const std::string& command, const std::filesystem::path& folder) : name_(std::move(name)) {
  std::signal(SIGPIPE, SIG_IGN);  // one that has ended is noticed where its answer is read
  std::filesystem::create_directories(folder);
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || (process_ = fork()) < 0) {
    absent_ = "no process to be had";
    return;
  }
  if (process_ == 0) {
    dup2(in[0], 0), dup2(out[1], 1);
    const std::string line = "exec " + command + " \"$0\"";
    execl("/bin/sh", "/bin/sh", "-c", line.c_str(), folder.c_str(), nullptr);
    _exit(127);
  }
  close(in[0]), close(out[1]);
  to_ = fdopen(in[1], "w"), from_ = fdopen(out[0], "r");
  const std::string line = read_line();
  if (line.starts_with("ready "))
    description_ = line.substr(6);
  else
    absent_ = line.empty() ? "it did not start: " + command : line;
}

Peer::~Peer() {
  if (to_ != nullptr) std::fclose(to_);  // the end of its input is the peer's
  if (from_ != nullptr) std::fclose(from_);
  if (process_ > 0) waitpid(process_, nullptr, 0);
}

std::string Peer::read_line() {
  std::string line;
  for (int c; (c = std::fgetc(from_)) != EOF && c != '\n';) line += static_cast<char>(c);
  return line;
}

std::string Peer::ask(const std::string& line, std::string& why) {
  if (!absent_.empty()) return why = absent_, "";
  std::fprintf(to_, "%s\n", line.c_str());
  std::fflush(to_);
  const std::string answer = read_line();
  if (answer.starts_with("ok")) return answer.substr(2);
  if (answer.empty()) absent_ = "it ended when asked to " + line;
  why = answer.empty() ? absent_ : answer.starts_with("absent ") ? answer.substr(7) : answer;
  return "";
}

std::string Peer::prepare(const std::string& work) {
  std::string why;
  ask("prepare " + work, why);
  return why;
}

Times Peer::run() {
  Times times;
  std::string why;
  const std::string answer = ask("run", why);
  if (!why.empty())
    absent_ = why;
  else if (std::sscanf(answer.c_str(), "%lf %lf", &times.wall, &times.processor) != 2)
    absent_ = "no times in its answer:" + answer;
  return times;
}

void Peer::drop() {
  std::string why;
  ask("drop", why);
}

}  // namespace bench
