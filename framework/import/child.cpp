#include "import/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <utility>

#include "base/error.h"

namespace attune {
namespace {

constexpr rlim_t kCpuSeconds = 300;  // the largest image takes a few
constexpr int kSilentSeconds = 120;  // of wall clock, between two answers
// Memory beyond four times the file: what its size lets expect, and no more. Decoders take what a
// damaged length asks for.
constexpr rlim_t kLeastMemory = 512L << 20, kMostMemory = 3L << 30, kMaxRatio = 2000;
constexpr std::size_t kMaxMessage = 4096;
constexpr int kPipeBytes = 1 << 20;

// What stands before each piece of the stream.
enum class Mark : char { bytes = 'y', error = 'n', end = 'e' };

void write_all(int fd, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(1);
    at += n;
    size -= static_cast<std::size_t>(n);
  }
}

void write_mark(int fd, Mark mark) { write_all(fd, &mark, 1); }

void send_error(int fd, const std::string& text) {
  write_mark(fd, Mark::error);
  write_all(fd, text.data(), text.size());
}

void limit([[maybe_unused]] const std::string& path) {
  const rlimit seconds{kCpuSeconds, kCpuSeconds}, no_core{0, 0};
  setrlimit(RLIMIT_CPU, &seconds);
  setrlimit(RLIMIT_CORE, &no_core);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they map terabytes
  std::error_code none;
  const auto size = std::filesystem::file_size(path, none);
  const rlim_t bytes = none ? 0 : std::min<rlim_t>(size, RLIM_INFINITY / kMaxRatio / 2);
  rlim_t pages = 0;  // taken already, by the parent
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t most = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) +
                      std::min(kMostMemory, kLeastMemory + kMaxRatio * bytes) + 4 * bytes;
  rlimit now{};
  getrlimit(RLIMIT_AS, &now);
  now.rlim_cur = std::min(most, now.rlim_max);
  setrlimit(RLIMIT_AS, &now);
#endif
}

[[noreturn]] void answer(int fd, const std::string& path,
                         const std::function<void(const ChildStream::Sink&)>& work) {
  const int null = open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, standard);
  limit(path);
  try {
    work([fd](const void* data, std::size_t size) {
      write_mark(fd, Mark::bytes);
      write_all(fd, data, size);
    });
    write_mark(fd, Mark::end);
  } catch (const DataError& error) {
    send_error(fd, error.what());
  } catch (const std::bad_alloc&) {
    send_error(fd, path + " is damaged: it asks for more memory than a file of its size can need");
  } catch (...) {
    _exit(1);
  }
  _exit(0);
}

}  // namespace

ChildStream::ChildStream(std::string path, const std::function<void(const Sink&)>& work)
    : path_(std::move(path)) {
  int ends[2];
  ATTUNE_CHECK(pipe2(ends, O_CLOEXEC) == 0, StorageError, "no pipe for decoding {}: {}", path_,
               std::strerror(errno));
  fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);  // fewer switches between the two; no loss without
  child_ = fork();
  if (child_ == 0) {
    close(ends[0]);
    answer(ends[1], path_, work);
  }
  close(ends[1]);
  fd_ = ends[0];
  if (child_ < 0) {
    close(fd_);
    throw StorageError(fmt::format("no process for decoding {}: {}", path_, std::strerror(errno)));
  }
}

ChildStream::~ChildStream() {
  close(fd_);
  if (child_ > 0) kill(child_, SIGKILL);
  reap();
}

// The child's exit status; it has ended or is about to.
int ChildStream::reap() {
  int status = 0;
  while (child_ > 0 && waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  return status;
}

void ChildStream::fail(const std::string& reason) {
  throw DataError(fmt::format("{} is damaged: its decoder {}", path_, reason));
}

// Up to `size` bytes; less at the end of the stream.
std::size_t ChildStream::receive(void* out, std::size_t size) {
  char* at = static_cast<char*>(out);
  std::size_t done = 0;
  while (done < size) {
    pollfd wait{fd_, POLLIN, 0};
    const int ready = poll(&wait, 1, kSilentSeconds * 1000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) fail(fmt::format("gave no answer in {} s", kSilentSeconds));
    const ssize_t n = ::read(fd_, at + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

void ChildStream::read(void* out, std::size_t size) {
  Mark mark{};
  const bool has_mark = receive(&mark, 1) == 1;
  if (has_mark && mark == Mark::error) {
    std::string text(kMaxMessage, '\0');
    text.resize(receive(text.data(), text.size()));
    throw DataError(text);
  }
  if (has_mark && mark == Mark::bytes && receive(out, size) == size) return;
  const int status = reap();
  fail(fmt::format("stopped ({}), as it does where a file is cut off or its bytes have changed",
                   WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it gave up"));
}

void ChildStream::finish() {
  char end = 0;
  if (receive(&end, 1) == 1 && end == static_cast<char>(Mark::end)) return;
  fail("did not end well");
}

}  // namespace attune
