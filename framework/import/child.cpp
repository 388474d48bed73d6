#include "import/child.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace attune {
namespace {

constexpr rlim_t kMaxSeconds = 300;  // of CPU; the largest image takes a few

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

// Up to `size` bytes; less at the end of the stream.
std::size_t read_all(int fd, void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = read(fd, at + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

// The answer: a byte that says whether it is one ('y') or the text of an error ('n'), and the rest.
[[noreturn]] void answer(int fd, const std::function<std::pair<const void*, std::size_t>()>& work) {
  const int null = open("/dev/null", O_WRONLY);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  const rlimit seconds{kMaxSeconds, kMaxSeconds}, no_core{0, 0};
  setrlimit(RLIMIT_CPU, &seconds);
  setrlimit(RLIMIT_CORE, &no_core);
  try {
    const auto [data, size] = work();
    write_all(fd, "y", 1);
    write_all(fd, data, size);
  } catch (const DataError& error) {
    write_all(fd, "n", 1);
    write_all(fd, error.what(), std::strlen(error.what()));
  } catch (...) {
    _exit(1);
  }
  _exit(0);
}

}  // namespace

void run_in_child(const std::string& path,
                  const std::function<std::pair<const void*, std::size_t>()>& work, void* out,
                  std::size_t expected) {
  int ends[2];
  ATTUNE_CHECK(pipe2(ends, O_CLOEXEC) == 0, StorageError, "no pipe for decoding {}: {}", path,
               std::strerror(errno));
  const pid_t child = fork();
  if (child == 0) answer(ends[1], work);
  close(ends[1]);
  char kind = 0;
  std::size_t got = 0;
  std::string text(4096, '\0');
  if (child > 0 && read_all(ends[0], &kind, 1) == 1) {
    if (kind == 'y') {
      got = read_all(ends[0], out, expected);
    } else {
      text.resize(read_all(ends[0], text.data(), text.size()));
    }
  }
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ATTUNE_CHECK(child > 0, StorageError, "no process for decoding {}: {}", path,
               std::strerror(errno));
  ATTUNE_CHECK(kind != 'n', DataError, "{}", text);
  ATTUNE_CHECK(kind == 'y' && got == expected && status == 0, DataError,
               "{} is damaged: its decoder stopped ({})", path,
               WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it gave up");
}

}  // namespace attune
