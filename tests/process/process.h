#pragma once

#include <set>
#include <string>
#include <vector>

namespace attune {

// What a finished process left.
struct Finished {
  int code = -1;  // exit code; 128 + signal where a signal ended it
  std::string out, err;
};

// The program under test, as users start it; output is caught.
Finished run_attune(const std::vector<std::string>& arguments);
// The same with stdout going to `out`, a device.
Finished run_attune(const std::vector<std::string>& arguments, const std::string& out);

// The same in the background, output thrown away, in a process group of its own.
class Started {
 public:
  explicit Started(const std::vector<std::string>& arguments);
  ~Started();
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;

  void signal(int number) const;
  // Waits at most `seconds`; true when it ended, with its code.
  bool wait(double seconds);
  int code() const { return code_; }
  int pid() const { return pid_; }

 private:
  int pid_ = -1;
  bool ended_ = false;
  int code_ = -1;
};

// Processes whose parent is this one, zombies left out.
std::set<int> children_of(int parent);

// An environment variable while it lives.
class Environment {
 public:
  Environment(std::string name, const std::string& value);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::string name_;
};

// A fresh folder that goes with the test.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// configs/quickstart.yaml of the source tree, the base of these tests.
std::string quickstart();

// Paths below `folder` that end in `ending`, sorted; their contents by name below it.
std::vector<std::string> files(const std::string& folder, const std::string& ending);
std::vector<std::pair<std::string, std::string>> run_file_bytes_in(const std::string& folder);

}  // namespace attune
