#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace attune {

// A folder that is gone when the command ends: what --fast-dev-run and `verify` write is not kept.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "attune-XXXXXX").string();
    ATTUNE_CHECK(mkdtemp(name.data()) != nullptr, StorageError, "{} cannot be made", name);
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace attune
