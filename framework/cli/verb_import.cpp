#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/install.h"
#include "cli/session.h"

namespace attune {

// Becomes attune-import, the program that knows ITK. Returns only when that is not there.
ExitCode verb_import(Session& session) {
  const std::string program = program_folder() + "/attune-import";
  ATTUNE_CHECK(std::filesystem::exists(program), ConfigError,
               "{} is not built. In the source tree, `scripts/attune "
               "import ...` installs what it needs and builds it; else put it beside attune",
               program);
  std::vector<std::string> words = session.command.operands;
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  throw StorageError(fmt::format("{} could not be started: {}", program, std::strerror(errno)));
}

}  // namespace attune
