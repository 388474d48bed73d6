#include "tests/process/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "base/files.h"

namespace attune {
namespace {

int spawn(const std::vector<std::string>& arguments, int out, int err) {
  std::vector<std::string> words = {ATTUNE_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int pid = fork();
  if (pid != 0) return pid;
  setpgid(0, 0);
  dup2(out, 1);
  dup2(err, 2);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, 0);
  execv(argv[0], argv.data());
  _exit(127);
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

Finished run_attune(const std::vector<std::string>& arguments) {
  const TestFolder folder;
  Finished finished = run_attune(arguments, folder / "out");
  finished.out = read_file(folder / "out");
  return finished;
}

Finished run_attune(const std::vector<std::string>& arguments, const std::string& out_path) {
  const TestFolder folder;
  const std::string err_path = folder / "err";
  const int out = open(out_path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const int err = open(err_path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const int pid = spawn(arguments, out, err);
  int status = 0;
  waitpid(pid, &status, 0);
  close(out);
  close(err);
  return {code_of(status), "", read_file(err_path)};
}

Started::Started(const std::vector<std::string>& arguments) {
  const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  pid_ = spawn(arguments, nothing, nothing);
  close(nothing);
}

Started::~Started() {
  if (ended_) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Started::signal(int number) const { ::kill(pid_, number); }

bool Started::wait(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  while (!ended_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      ended_ = true;
      code_ = code_of(status);
    } else if (Clock::now() >= until) {
      return false;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  return true;
}

std::set<int> children_of(int parent) {
  std::set<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto behind = text.rfind(") ");  // the program's name may hold anything
    if (behind == text.npos) continue;
    const char state = text[behind + 2];
    if (state != 'Z' && std::atoi(text.c_str() + behind + 4) == parent)
      found.insert(std::stoi(name));
  }
  return found;
}

Environment::Environment(std::string name, const std::string& value) : name_(std::move(name)) {
  ::setenv(name_.c_str(), value.c_str(), 1);
}
Environment::~Environment() { ::unsetenv(name_.c_str()); }

TestFolder::TestFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "attune-test-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no folder " + name);
  path_ = name;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string quickstart() { return std::string(ATTUNE_SOURCE_DIR) + "/configs/quickstart.yaml"; }

std::vector<std::string> files(const std::string& folder, const std::string& ending) {
  std::vector<std::string> found;
  std::error_code gone;  // files come and go while a run is under way
  for (std::filesystem::recursive_directory_iterator it(folder, gone), end; it != end;
       it.increment(gone)) {
    if (gone) break;
    if (it->path().string().ends_with(ending)) found.push_back(it->path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::pair<std::string, std::string>> run_file_bytes_in(const std::string& folder) {
  std::vector<std::pair<std::string, std::string>> bytes;
  for (const std::string& path : files(folder, ".h5"))
    bytes.emplace_back(std::filesystem::path(path).filename().string(), read_file(path));
  return bytes;
}

}  // namespace attune
