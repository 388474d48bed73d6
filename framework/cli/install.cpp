#include "cli/install.h"

#include <filesystem>

namespace attune {

namespace fs = std::filesystem;

std::string program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? std::string() : program.parent_path().string();
}

std::string configs_folder() {
  for (const char* place : {"../share/attune/configs", "../../configs"}) {
    std::error_code error;
    const fs::path folder = fs::canonical(fs::path(program_folder()) / place, error);
    if (!error && fs::is_directory(folder, error)) return folder.string();
  }
  return {};
}

}  // namespace attune
