#include "base/output_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "tests/base/files_folder.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::ThrowsMessage;

using Outputs = FilesFolder;

TEST_F(Outputs, AnOutputIsAFileInAFolderAndNoInput) {
  write_synced(path("in"), "x");
  std::filesystem::create_hard_link(path("in"), path("same"));
  std::filesystem::create_directory(path("there"));
  check_output(path("new"), {path("in"), path("gone")});
  check_output(path("in"), {});  // a file may be written again
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const auto refused = [&](const std::string& out, const std::string& said) {
    EXPECT_THAT([&] { check_output(out, {path("in")}); },
                ThrowsMessage<ConfigError>(HasSubstr(said)));
  };
  refused(path("same"), "which is read");
  refused(path("there"), "is a folder");
  refused(path("none/"), "is a folder");
  refused(path("none/a"), "mkdir -p " + path("none"));
  refused(path("in/a"), "is no folder");
  for (const std::string& special : {std::string("/dev/null"), path("pipe")})
    refused(special, "is no file that could be replaced");
  EXPECT_THAT(list_folder(folder_.string()), ElementsAre("in", "pipe", "same", "there"));
}

TEST_F(Outputs, AreWholeOrTheOldContentAndLeaveNothingElse) {
  write_output(path(), "old");
  {
    OutputFile file(path());
    write_synced(file.temporary(), "half");
    EXPECT_EQ(read_file(path()), "old");
    EXPECT_THAT(file.temporary(), StartsWith(path(".a.")));
  }
  write_output(path(), "new");
  EXPECT_EQ(read_file(path()), "new");
  EXPECT_THAT(list_folder(folder_.string()), ElementsAre("a"));
}

TEST_F(Outputs, OfOneNameHaveWritersThatKnowNothingOfEachOther) {
  OutputFile first(path()), second(path());
  EXPECT_NE(first.temporary(), second.temporary());
  write_synced(first.temporary(), "first");
  write_synced(second.temporary(), "second");
  first.put_in_place();
  EXPECT_EQ(read_file(path()), "first");
  second.put_in_place();
  EXPECT_EQ(read_file(path()), "second");
  EXPECT_THAT(list_folder(folder_.string()), ElementsAre("a"));
}

// Any name may be somebody's file, or his link to one.
TEST_F(Outputs, AreMadeAnewWhateverHasTheirName) {
  std::string taken;
  {
    const OutputFile probe(path());
    taken = probe.temporary();
  }
  write_synced(path("precious"), "kept");
  std::filesystem::create_symlink(path("precious"), taken);
  std::filesystem::create_symlink(path("precious"), temporary_name(path()));
  write_output(path(), "new");
  EXPECT_EQ(read_file(path("precious")), "kept");
  EXPECT_TRUE(std::filesystem::is_symlink(taken));
  EXPECT_TRUE(std::filesystem::is_symlink(temporary_name(path())));
  EXPECT_EQ(read_file(path()), "new");
}

TEST_F(Outputs, MayHaveNamesOfAnyLengthThatFilesHave) {
  const std::string longest(255, 'x');
  write_output(path(longest), "x");
  EXPECT_THAT(list_folder(folder_.string()), ElementsAre(longest));
}

TEST_F(Outputs, GoWithAProcessThatASignalEnds) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const int code = in_a_child([&] {
      std::signal(signal, SIG_DFL);
      const OutputFile file(path());
      std::raise(signal);
      return 0;
    });
    EXPECT_EQ(code, 128 + signal);
    EXPECT_THAT(list_folder(folder_.string()), IsEmpty()) << signal;
  }
}

// A decoder that is ended is no reason to lose the file.
TEST_F(Outputs, StayWhenAChildIsEnded) {
  std::signal(SIGTERM, SIG_DFL);
  OutputFile file(path());
  EXPECT_EQ(in_a_child([] { return std::raise(SIGTERM); }), 128 + SIGTERM);
  EXPECT_TRUE(file_exists(file.temporary()));
  file.put_in_place();
}

TEST_F(Outputs, BeyondTheLimitOfAFileAreAnErrorAndLeaveNothing) {
  const int code = in_a_child([&] {
    prepare_process();
    const rlimit limit{10, 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_output(path(), "0123456789abcdef");
      return 1;
    } catch (const StorageError& e) {
      return std::string(e.what()).find("ulimit -f") == std::string::npos ? 2 : 0;
    }
  });
  EXPECT_EQ(code, 0);
  EXPECT_THAT(list_folder(folder_.string()), IsEmpty());
}

TEST_F(Outputs, AreNeverAStandardStream) {
  const int code = in_a_child([&] {
    for (const int standard : {0, 1, 2}) ::close(standard);
    prepare_process();
    for (const int standard : {0, 1, 2})
      if (::fcntl(standard, F_GETFD) != 0) return 1;
    const int next = ::open(path().c_str(), O_WRONLY | O_CREAT, 0600);
    return next > STDERR_FILENO ? 0 : 2;
  });
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace attune
