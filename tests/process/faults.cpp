// A shim between a program and its file system, loaded with LD_PRELOAD, that strikes at one call:
//
//   ATTUNE_FAULT="ACTION CALL PART N"
//   ACTION  kill: ends the process by SIGKILL before the call.
//           tear: a write writes half of its bytes first.
//           a number: the call fails with that errno, this time and ever after.
//   CALL    write, rename, sync (fsync and fdatasync), unlink, flock
//   PART    of the path that the call is about, either one of a rename
//   N       the N-th such call of a process, from 1
//
// Each strike adds a byte to the file ATTUNE_FAULT_LOG.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Fault {
  char action[16] = "", call[16] = "", part[128] = "";
  int n = 0;
};

const Fault& fault() {
  static const Fault kFault = [] {
    Fault read;
    const char* text = std::getenv("ATTUNE_FAULT");
    if (!text ||
        std::sscanf(text, "%15s %15s %127s %d", read.action, read.call, read.part, &read.n) != 4)
      read.n = 0;
    return read;
  }();
  return kFault;
}

std::atomic<int> calls{0};

void log_strike() {
  const char* path = std::getenv("ATTUNE_FAULT_LOG");
  if (!path) return;
  const long file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file < 0) return;
  syscall(SYS_write, file, "x", 1);
  syscall(SYS_close, file);
}

// True when the call must fail; a process that is killed does not return.
bool strikes(const char* call, const char* path, const char* other = "", int fd = -1,
             const void* data = nullptr, size_t size = 0) {
  const Fault& f = fault();
  if (f.n == 0 || std::strcmp(call, f.call) != 0) return false;
  if (!std::strstr(path, f.part) && !std::strstr(other, f.part)) return false;
  const int error = std::atoi(f.action);
  const int nth = ++calls;
  if (error > 0 ? nth < f.n : nth != f.n) return false;
  log_strike();
  if (error > 0) {
    errno = error;
    return true;
  }
  if (std::strcmp(f.action, "tear") == 0 && data) syscall(SYS_write, fd, data, size / 2);
  kill(getpid(), SIGKILL);
  pause();
  return true;
}

bool strikes_at(const char* call, int fd, const void* data = nullptr, size_t size = 0) {
  if (fault().n == 0 || std::strcmp(call, fault().call) != 0) return false;
  char name[64], path[4096];
  std::snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(name, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return strikes(call, path, "", fd, data, size);
}

}  // namespace

// These stand before libc's.
extern "C" {
ssize_t write(int fd, const void* data, size_t size) {
  return strikes_at("write", fd, data, size) ? -1 : syscall(SYS_write, fd, data, size);
}
int fsync(int fd) { return strikes_at("sync", fd) ? -1 : static_cast<int>(syscall(SYS_fsync, fd)); }
int fdatasync(int fd) {
  return strikes_at("sync", fd) ? -1 : static_cast<int>(syscall(SYS_fdatasync, fd));
}
int rename(const char* from, const char* to) noexcept {
  return strikes("rename", from, to) ? -1 : static_cast<int>(syscall(SYS_rename, from, to));
}
int unlink(const char* path) noexcept {
  return strikes("unlink", path) ? -1 : static_cast<int>(syscall(SYS_unlink, path));
}
int flock(int fd, int operation) noexcept {
  return strikes_at("flock", fd) ? -1 : static_cast<int>(syscall(SYS_flock, fd, operation));
}
}
