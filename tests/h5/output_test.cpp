#include "h5/output.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "h5/h5.h"

namespace attune {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(H5Output, ReplacesNothingButItsOwnKind) {
  const std::string folder =
      std::filesystem::temp_directory_path() / fmt::format("attune-h5-output-{}", ::getpid());
  make_folders(folder);
  const auto write = [&](const char* name, const char* schema) {
    H5File file = H5File::create(folder + "/" + name);
    if (schema) file.root().set_attribute("schema", schema);
    file.close();
  };
  write("own", "attune.x@1");
  write("other", "attune.y@1");
  write("none", nullptr);
  {
    H5File file = H5File::create(folder + "/number");
    file.root().set_attribute("schema", Index{1});
    file.close();
  }
  write_synced(folder + "/text", "attune.x@1");
  write_synced(folder + "/empty", "");
  const std::string own = read_file(folder + "/own");
  write_synced(folder + "/cut", own.substr(0, own.size() / 2));
  for (const char* name : {"own", "empty", "new"})
    EXPECT_NO_THROW(check_h5_output(folder + "/" + name, "attune.x@1", {})) << name;
  for (const char* name : {"other", "none", "number", "text", "cut"})
    EXPECT_THAT([&] { check_h5_output(folder + "/" + name, "attune.x@1", {}); },
                ThrowsMessage<ConfigError>(HasSubstr("is no file of schema attune.x@1")))
        << name;
  EXPECT_THAT([&] { check_h5_output(folder + "/own", "attune.x@1", {folder + "/own"}); },
              ThrowsMessage<ConfigError>(HasSubstr("which is read")));
  remove_tree(folder);
}

}  // namespace
}  // namespace attune
