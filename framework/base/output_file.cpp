#include "base/output_file.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

// A handler has no argument of ours. The pid tells a child's signals from ours.
char doomed_file[PATH_MAX] = {};
volatile pid_t doomed_by = 0;

void remove_doomed(int signal) {
  if (getpid() == doomed_by) unlink(doomed_file);
  raise(signal);  // SA_RESETHAND: now it ends the process as it would have
}

void remove_on_signals(const std::string& path) {
  if (path.size() >= sizeof doomed_file) return;
  doomed_by = 0;
  std::memcpy(doomed_file, path.c_str(), path.size() + 1);
  doomed_by = getpid();
  for (const int number : kSignals) {
    struct sigaction now = {};
    sigaction(number, nullptr, &now);
    if (now.sa_handler != SIG_DFL) continue;  // somebody has other plans, such as nohup
    struct sigaction action = {};
    action.sa_handler = remove_doomed;
    action.sa_flags = SA_RESETHAND | SA_RESTART;
    sigaction(number, &action, nullptr);
  }
}

void forget_signals() {
  doomed_by = 0;
  for (const int number : kSignals) {
    struct sigaction now = {};
    sigaction(number, nullptr, &now);
    if (now.sa_handler == remove_doomed) ::signal(number, SIG_DFL);
  }
}

std::string make_temporary(const std::string& path) {
  constexpr std::size_t kLongest = 200;  // of 255 bytes that names may have
  const fs::path target(path);
  for (int n = 0;; ++n) {
    std::string name =
        (target.parent_path() /
         fmt::format(".{}.{}-{}.tmp", target.filename().string().substr(0, kLongest), getpid(), n))
            .string();
    const int file =
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file >= 0) {
      ::close(file);
      return name;
    }
    ATTUNE_CHECK(errno == EEXIST || errno == EINTR, StorageError, "{}: cannot be made: {}", name,
                 std::strerror(errno));
  }
}

}  // namespace

void check_output(const std::string& path, const std::vector<std::string>& inputs) {
  std::error_code none;  // what is not there is no folder, and no input
  const fs::path folder = fs::absolute(path).parent_path();
  ATTUNE_CHECK(!path.ends_with('/') && !fs::is_directory(path, none), ConfigError,
               "-o {} is a folder; name a file in it, such as {}", path,
               (fs::path(path) / "FILE.h5").string());
  ATTUNE_CHECK(!fs::exists(path, none) || fs::is_regular_file(path, none), ConfigError,
               "-o {} is no file that could be replaced; name another one", path);
  ATTUNE_CHECK(fs::is_directory(folder, none), ConfigError,
               "-o {}: {} is no folder; make it first, with mkdir -p {}", path, folder.string(),
               fs::path(path).parent_path().string());
  ATTUNE_CHECK(::access(folder.c_str(), W_OK) == 0, ConfigError,
               "-o {}: you may not write to {}; name a file elsewhere", path, folder.string());
  for (const std::string& input : inputs)
    ATTUNE_CHECK(!fs::equivalent(path, input, none), ConfigError,
                 "-o {} is {}, which is read; name another file", path, input);
}

OutputFile::OutputFile(std::string path)
    : path_(std::move(path)), temporary_(make_temporary(path_)) {
  remove_on_signals(temporary_);
}

OutputFile::~OutputFile() {
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  forget_signals();
}

void OutputFile::put_in_place() {
  sync_file(temporary_);
  rename_synced(temporary_, path_);
  temporary_.clear();
  forget_signals();
}

void write_output(const std::string& path, std::string_view content) {
  OutputFile file(path);
  write_synced(file.temporary(), content);
  file.put_in_place();
}

}  // namespace attune
