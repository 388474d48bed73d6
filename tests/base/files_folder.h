#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace attune {

// A fresh folder that goes with the test.
class FilesFolder : public testing::Test {
 protected:
  FilesFolder() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("attune-files-{}-{}", info->name(), ::getpid());
    std::filesystem::create_directories(folder_);
  }
  ~FilesFolder() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name = "a") const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

// The exit code of `body` in a process of its own; 128 + signal when one ended it.
template <class Body>
int in_a_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace attune
