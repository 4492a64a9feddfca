#include "tests/io/folder.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace fovea;
using namespace fovea::test;

TEST_CASE("writing replaces a file whole and leaves nothing beside it") {
  const Folder folder;
  const auto path = folder / "a.txt";
  REQUIRE(io::write_text(path, "first"));
  REQUIRE(io::write_text(path, "second, longer"));
  CHECK(read_bytes(path) == "second, longer");
  REQUIRE(io::write_text(path, ""));
  CHECK(read_bytes(path).empty());
  CHECK(folder.files() == 1);
}

TEST_CASE("a write through a symbolic link changes what the link names") {
  const Folder folder;
  write_bytes(folder / "real", "old");
  std::filesystem::create_symlink("real", folder / "link");
  REQUIRE(io::write_text(folder / "link", "new"));
  CHECK(read_bytes(folder / "real") == "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(folder.files() == 2);
}

TEST_CASE("a write that cannot be is an error and leaves nothing") {
  const Folder folder;
  check_error(io::write_text(folder.path(), "x"), ErrorCode::io, {folder.path().string(), "is a folder"});
  check_error(io::write_text(folder / "none/a.txt", "x"), ErrorCode::io, {"none/a.txt", "No such file"});
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  check_error(io::write_text(folder / "pipe", "x"), ErrorCode::io, {"is a pipe"});
  check_error(io::write_text("/dev/full", "x"), ErrorCode::io, {"is not a regular file"});
  CHECK(folder.files() == 1);
}

TEST_CASE("a program that a signal ends while it writes leaves the old file, and nothing beside it") {
  const Folder folder;
  write_bytes(folder / "a.txt", "old");
  const std::string text(1 << 16, 'x');
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_DFL);
    const rlimit limit{4096, 4096};  // of a file's size: to pass it brings SIGXFSZ in the midst of the write
    ::setrlimit(RLIMIT_FSIZE, &limit);
    (void)static_cast<bool>(io::write_text(folder / "a.txt", text));
    ::_exit(0);  // the signal was due before
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGXFSZ);
  CHECK(read_bytes(folder / "a.txt") == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("what is not a regular file is refused without waiting for it") {
  const Folder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  check_error(io::Safetensors::open(folder / "pipe"), ErrorCode::io, {"is a pipe"});
  check_error(io::Safetensors::open(folder.path()), ErrorCode::io, {"is a folder"});
  check_error(io::Safetensors::open("/dev/null"), ErrorCode::io, {"/dev/null: is not a regular file"});
  check_error(io::read_picture(folder / "none.png"), ErrorCode::io, {"none.png", "No such file"});
}
