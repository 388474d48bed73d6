#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

// is_held() takes a lock for some microseconds, which must not make another process give up.
constexpr int kLockTries = 4, kLockPause = 1000;  // µs

const char* advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return ". Make room and give the same command again: what is finished is kept";
    case EFBIG:
      return ". A file may not be that large here (ulimit -f): raise the limit and give the same "
             "command again";
    case EACCES:
    case EPERM:
    case EROFS:
      return ". Choose a folder that you may write to, with -o DIR";
    case EMFILE:
    case ENFILE:
      return ". Too many files are open (ulimit -n)";
    case ENOLCK:
    case EOPNOTSUPP:
      return ". This file system has no locks: choose a folder on another one, with -o DIR";
    default:
      return "";
  }
}

[[noreturn]] void fail(const std::string& path, std::string_view what, int error) {
  throw StorageError(fmt::format("{}: {}: {}{}", path, what, std::strerror(error), advice(error)));
}

// A descriptor that closes with its scope, does not outlive exec, and waits out signals.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, std::string_view what) : path_(path) {
    do {
      fd_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0) fail(path, what, errno);
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void sync() const {
    if (::fsync(fd_) != 0) fail(path_, "cannot be written to disk", errno);
  }

 private:
  std::string path_;
  int fd_ = -1;
};

// Bytes written before the first error; errno tells which, 0 when all are.
std::size_t write_fully(int fd, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return done;
    done += static_cast<std::size_t>(n);
  }
  errno = 0;
  return done;
}

std::string folder_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

}  // namespace

bool file_exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

std::string read_file(const std::string& path) {
  const Descriptor file(path, O_RDONLY, "cannot be opened");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail(path, "cannot be read", errno);
  ATTUNE_CHECK(S_ISREG(info.st_mode), StorageError, "{}: is not a file", path);
  std::string content(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = ::read(file.get(), content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "cannot be read", errno);
    if (n == 0) break;  // grew shorter meanwhile
    done += static_cast<std::size_t>(n);
  }
  content.resize(done);
  return content;
}

std::vector<std::string> list_folder(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    fail(path, "cannot be listed", error.value());
  std::sort(names.begin(), names.end());
  return names;
}

void make_folders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail(path, "the folder cannot be made", error.value());
}

std::string temporary_name(const std::string& path) {
  const fs::path p(path);
  return (p.parent_path() / fmt::format(".{}.tmp", p.filename().string())).string();
}

void write_synced(const std::string& path, std::string_view content) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC, "cannot be made");
  const std::size_t done = write_fully(file.get(), content);
  if (done < content.size()) {
    const int error = errno;
    ::unlink(path.c_str());
    fail(path, fmt::format("only {} of {} bytes could be written", done, content.size()), error);
  }
  file.sync();
}

void write_atomically(const std::string& path, std::string_view content) {
  const std::string temporary = temporary_name(path);
  write_synced(temporary, content);
  rename_synced(temporary, path);
}

void sync_file(const std::string& path) { Descriptor(path, O_RDONLY, "cannot be opened").sync(); }

void rename_synced(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    fail(from, fmt::format("cannot be renamed to {}", to), errno);
  sync_folder(folder_of(to));
}

void sync_folder(const std::string& path) {
  const Descriptor folder(path, O_RDONLY | O_DIRECTORY, "the folder cannot be opened");
  // Some network file systems know no fsync of a folder; their renames are durable or cannot be
  // made so.
  if (::fsync(folder.get()) != 0 && errno != EINVAL)
    fail(path, "the folder cannot be written to disk", errno);
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail(path, "cannot be removed", errno);
}

void remove_tree(const std::string& path) {
  ATTUNE_CHECK(!fs::path(path).lexically_normal().relative_path().empty(), StorageError,
               "'{}' is no folder that may be removed", path);
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail(path, "cannot be removed", error.value());
}

AppendFile::AppendFile(const std::string& path, std::uint64_t size) : path_(path) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_APPEND, "cannot be opened");
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) fail(path, "cannot be read", errno);
  size_ = std::min(size, static_cast<std::uint64_t>(info.st_size));
  if (size_ < static_cast<std::uint64_t>(info.st_size) &&
      ::ftruncate(file.get(), static_cast<off_t>(size_)) != 0) {
    fail(path, fmt::format("cannot be cut to {} bytes", size_), errno);
  }
  descriptor_ = file.release();
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::append(std::string_view bytes) {
  const std::size_t done = write_fully(descriptor_, bytes);
  if (done < bytes.size()) {
    const int error = errno;
    // When this fails too, the torn record stays and the reader drops it.
    [[maybe_unused]] const int cut = ::ftruncate(descriptor_, static_cast<off_t>(size_));
    fail(path_, fmt::format("only {} of {} bytes could be appended", done, bytes.size()), error);
  }
  size_ += bytes.size();
}

void AppendFile::sync() {
  if (::fdatasync(descriptor_) != 0) fail(path_, "cannot be written to disk", errno);
}

std::optional<FileLock> FileLock::lock(const std::string& path, bool wait) {
  while (true) {
    Descriptor file(path, O_RDWR | O_CREAT, "the lock cannot be opened");
    int locked = -1;
    for (int patience = kLockTries; locked != 0 && patience > 0;) {
      locked = ::flock(file.get(), wait ? LOCK_EX : LOCK_EX | LOCK_NB);
      if (locked == 0 || errno == EINTR) continue;
      if (errno != EWOULDBLOCK) break;
      if (--patience > 0) ::usleep(kLockPause);
    }
    if (locked != 0 && errno == EWOULDBLOCK) return std::nullopt;
    if (locked != 0) fail(path, "cannot be locked", errno);
    // The last owner may have removed the file between open and flock: then this locks a file
    // without a name.
    struct stat mine {
    }, named{};
    const bool same = ::fstat(file.get(), &mine) == 0 && ::stat(path.c_str(), &named) == 0 &&
                      mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
    if (!same) continue;
    const std::string owner = fmt::format("{} {}\n", host_name(), ::getpid());
    if (::ftruncate(file.get(), 0) != 0 || write_fully(file.get(), owner) < owner.size()) {
      fail(path, "the owner cannot be written into the lock", errno);
    }
    return FileLock(file.release());
  }
}

std::optional<FileLock> FileLock::try_lock(const std::string& path) { return lock(path, false); }
FileLock FileLock::wait(const std::string& path) { return std::move(*lock(path, true)); }

std::optional<LockOwner> FileLock::owner(const std::string& path) {
  if (!file_exists(path)) return std::nullopt;
  const std::string text = read_file(path);
  const std::size_t space = text.find(' ');
  if (space == std::string::npos) return std::nullopt;
  LockOwner owner{text.substr(0, space), 0};
  const auto [end, error] =
      std::from_chars(text.data() + space + 1, text.data() + text.size(), owner.pid);
  return error == std::errc() && *end == '\n' ? std::optional(owner) : std::nullopt;
}

bool FileLock::is_held(const std::string& path) {
  if (!file_exists(path)) return false;
  const Descriptor file(path, O_RDONLY, "the lock cannot be opened");
  return ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

}  // namespace attune
