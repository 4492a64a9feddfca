// Peers that are shell scripts: what they answer, and that one which ends or rambles is told with a reason.

#include "bench/peer.hpp"

#include "tests/io/folder.hpp"

using bench::Peer;

namespace {

// A folder with a script, and the command that runs it; the script's $1 is the folder.
struct Script : fovea::test::Folder {
  std::string command = "sh '" + (path() / "script").string() + "'";
  explicit Script(std::string_view text) { fovea::test::write_bytes(path() / "script", text); }
};

// Why it did not run.
std::string reason(Peer& peer) {
  std::string why;
  peer.run(why);
  return why;
}

}  // namespace

TEST_CASE("a peer says who it is, does its work, and gives the times it took") {
  const Script script(
      "echo ready some library 1.2\n"
      "while read -r verb work; do case $verb in\n"
      "  prepare) echo \"$work\" >\"$1/y\"; echo ok ;;\n"
      "  run) echo ok 0.25 0.5 ;;\n"
      "  *) echo ok ;;\n"
      "esac; done\n");
  Peer peer("some:setting", script.command, script.path());
  CHECK(peer.name() == "some:setting");
  CHECK(peer.description() == "some library 1.2");
  CHECK(peer.absent().empty());
  CHECK(peer.prepare("softmax 4 8").empty());
  CHECK(fovea::test::read_bytes(script / "y") == "softmax 4 8\n");
  std::string why;
  const bench::Times times = peer.run(why);
  CHECK(why.empty());
  CHECK(times.wall == 0.25);
  CHECK(times.processor == 0.5);
  peer.drop();
  CHECK(peer.absent().empty());
}

TEST_CASE("a work that a peer lacks has its reason, and the peer goes on") {
  const Script script("echo ready x\nwhile read -r verb work; do echo absent no such thing; done\n");
  Peer peer("x", script.command, script.path());
  CHECK(peer.prepare("conv2d 1") == "no such thing");
  CHECK(peer.prepare("linear 1") == "no such thing");
  CHECK(peer.absent().empty());
}

TEST_CASE("a peer that does not start is absent, with the reason it gives or its command") {
  const Script silent("exit 3\n"), speaking("echo no device here\n");
  CHECK(Peer("x", silent.command, silent.path()).absent() == "it did not start: " + silent.command);
  Peer peer("x", speaking.command, speaking.path());
  CHECK(peer.absent() == "no device here");
  CHECK(peer.prepare("softmax 1 1") == "no device here");
  CHECK(reason(peer) == "no device here");
}

TEST_CASE("a peer that ends, or answers no times, is absent from then on") {
  const Script ends("echo ready x\nread -r line\necho ok\nread -r line\n"),
      rambles("echo ready x\nwhile read -r line; do echo ok soon; done\n");
  Peer ended("x", ends.command, ends.path());
  CHECK(ended.prepare("softmax 1 1").empty());
  CHECK(reason(ended) == "it ended when asked to run");
  CHECK(ended.absent() == "it ended when asked to run");
  CHECK(ended.prepare("softmax 1 1") == "it ended when asked to run");
  Peer rambling("x", rambles.command, rambles.path());
  CHECK(rambling.prepare("softmax 1 1").empty());
  CHECK(reason(rambling) == "no times in its answer: soon");
  CHECK(rambling.absent() == "no times in its answer: soon");
}

TEST_CASE("a peer that takes too long is ended, and started anew for the next work") {
  const Script script(
      "echo ready $$\n"
      "while read -r verb work; do\n"
      "  [ \"$work\" != slow ] || exec sleep 60\n"
      "  echo ok 1 1\n"
      "done\n");
  Peer peer("x", script.command, script.path(), 1);
  const std::string first = peer.description();
  CHECK(peer.prepare("slow") == "it took more than 1 s to prepare slow");
  CHECK(peer.absent().empty());
  CHECK(peer.description() != first);
  CHECK(peer.prepare("fast").empty());
  CHECK(reason(peer).empty());
}
