// POSIX; the one file of fovea::io to port.
#include "io/file.hpp"

#include <fovea/io.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>

namespace fovea::io {
namespace {

Error file_error(const std::filesystem::path& path, std::string_view what) {
  return {ErrorCode::io, path.string() + ": " + std::string(what)};
}

Error system_error(const std::filesystem::path& path, std::string_view what) {
  return file_error(path, std::string(what) + ": " + std::generic_category().message(errno));
}

// What stands at a path that is not a regular file.
const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "is a folder";
  if (S_ISFIFO(mode)) return "is a pipe";
  return "is not a regular file";
}

struct Descriptor {
  int value = -1;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

// Holds back from this thread, while it lives, the signals by which a user or a limit ends a program: what came meanwhile
// acts at its end. So a program of one thread leaves no half-written file behind. (SIGKILL and a crash still may.)
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGXFSZ}) ::sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t before_;
};

// The file that a write to `path` would change: itself, or what its symbolic link names.
std::filesystem::path target_of(const std::filesystem::path& path) {
  std::error_code ignored;  // a link to nothing is replaced
  if (!std::filesystem::is_symlink(path, ignored)) return path;
  std::filesystem::path target = std::filesystem::canonical(path, ignored);
  return target.empty() ? path : target;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // Without O_NONBLOCK the opening of a pipe waits for its writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) return system_error(path, "cannot be opened");
  struct stat status {};
  if (::fstat(file.value, &status) != 0) return system_error(path, "cannot be examined");
  if (!S_ISREG(status.st_mode)) return file_error(path, kind_of(status.st_mode));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return MappedFile();  // mmap refuses 0 bytes
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (data == MAP_FAILED) return system_error(path, "cannot be mapped");
  return MappedFile({static_cast<const std::byte*>(data), size});
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Result<void> write_file(const std::filesystem::path& path, std::span<const std::span<const std::byte>> pieces) {
  const std::filesystem::path target = target_of(path);
  struct stat status {};
  if (::stat(target.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    return file_error(path, kind_of(status.st_mode));

  // In the same folder, so that the rename stays on one file system; not to be taken for another's by its name.
  static std::atomic<unsigned> count{0};
  std::filesystem::path partial = target;
  partial += ".partial-" + std::to_string(::getpid()) + "-" + std::to_string(count.fetch_add(1));

  const HeldSignals until_it_is_in_place;
  const auto fail = [&](std::string_view what) {
    const Error error = system_error(path, what);
    ::unlink(partial.c_str());
    return error;
  };
  {
    Descriptor file{::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
    if (file.value < 0) return system_error(path, "cannot be written");
    for (const std::span<const std::byte> piece : pieces) {
      if (!write_all(file.value, piece)) return fail("cannot be written");
    }
    const int closed = ::close(std::exchange(file.value, -1));
    if (closed != 0) return fail("cannot be written");  // where a network file system reports a full disk
  }
  if (::rename(partial.c_str(), target.c_str()) != 0) return fail("cannot be put in place");
  return {};
}

Result<void> write_text(const std::filesystem::path& path, std::string_view text) {
  const std::array pieces{std::as_bytes(std::span(text))};
  return write_file(path, pieces);
}

}  // namespace fovea::io
