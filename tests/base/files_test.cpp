#include "base/files.h"

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/error.h"
#include "tests/base/files_folder.h"
#include "tests/small_disk.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

using Files = FilesFolder;

TEST_F(Files, AnAtomicWriteReplacesTheContentAndLeavesNothingElse) {
  write_atomically(path(), "old");
  write_atomically(path(), std::string("n\0w", 3));
  EXPECT_EQ(read_file(path()), std::string("n\0w", 3));
  EXPECT_THAT(list_folder(folder_.string()), ElementsAre("a"));
}

TEST_F(Files, ATemporaryNameIsHiddenFromTheGlobOfItsKind) {
  EXPECT_EQ(temporary_name("trials/x.h5"), "trials/.x.h5.tmp");
  EXPECT_EQ(temporary_name("x.h5"), ".x.h5.tmp");
}

TEST_F(Files, WhatIsNotThereIsNamedWithTheReason) {
  EXPECT_THAT([&] { read_file(path("none")); },
              ThrowsMessage<StorageError>(HasSubstr("none: cannot be opened: No such file")));
  EXPECT_THAT([&] { read_file(folder_.string()); },
              ThrowsMessage<StorageError>(HasSubstr("is not a file")));
  EXPECT_THAT(list_folder(path("none")), IsEmpty());
  EXPECT_NO_THROW(remove_file(path("none")));
  EXPECT_NO_THROW(remove_tree(path("none")));
  EXPECT_THROW(write_atomically(path("none/a"), "x"), StorageError);
}

TEST_F(Files, FoldersAreMadeWithTheirParentsAndRemovedWithoutFollowingLinks) {
  make_folders(path("x/y/z"));
  make_folders(path("x/y/z"));
  write_atomically(path("kept"), "kept");
  std::filesystem::create_symlink(path("kept"), path("x/y/link"));
  std::filesystem::create_directory_symlink(folder_, path("x/folder_link"));
  remove_tree(path("x"));
  EXPECT_THAT(list_folder(folder_.string()), ElementsAre("kept"));
  EXPECT_THROW(remove_tree(""), StorageError);
  EXPECT_THROW(remove_tree("/"), StorageError);
  EXPECT_THAT([&] { make_folders(path("kept/x")); },
              ThrowsMessage<StorageError>(HasSubstr("the folder cannot be made")));
}

TEST_F(Files, AnAppendFileStartsAtTheGivenSize) {
  write_atomically(path(), "0123456789");
  {
    AppendFile file(path(), 4);
    EXPECT_EQ(file.size(), 4U);
    file.append("ab");
    file.append("c");
    file.sync();
    EXPECT_EQ(file.size(), 7U);
  }
  EXPECT_EQ(read_file(path()), "0123abc");
  EXPECT_EQ(AppendFile(path(), 1000).size(), 7U);
}

// RLIMIT_FSIZE makes write() short and then fail, as a full disk does, without one.
TEST_F(Files, AFailedAppendLeavesTheFileAsItWas) {
  const int code = in_a_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10, 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    AppendFile file(path(), 0);
    file.append("12345678");
    try {
      file.append("12345678");
      return 1;
    } catch (const StorageError& e) {
      return std::string(e.what()).find("only 2 of 8 bytes could be appended") == std::string::npos
                 ? 2
                 : 0;
    }
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(read_file(path()), "12345678");
}

TEST_F(Files, AFullDiskSaysWhatToDoAndKeepsTheOldContent) {
  be_allowed_to_mount();
  ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=64k"), 0) << std::strerror(errno);
  write_atomically(path(), "old");
  EXPECT_THAT([&] { write_atomically(path(), std::string(100000, 'x')); },
              ThrowsMessage<StorageError>(
                  testing::AllOf(HasSubstr("of 100000 bytes could be written: No space left"),
                                 HasSubstr("Make room and give the same command again"))));
  EXPECT_EQ(read_file(path()), "old");
  EXPECT_THAT(list_folder(folder_.string()), ElementsAre("a"));
  ::umount(folder_.c_str());
}

TEST_F(Files, OneLockHasOneOwnerWhoIsNamed) {
  auto held = FileLock::try_lock(path());
  ASSERT_TRUE(held);
  EXPECT_FALSE(FileLock::try_lock(path()));
  EXPECT_TRUE(FileLock::is_held(path()));
  const auto owner = FileLock::owner(path());
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->pid, ::getpid());
  EXPECT_EQ(owner->host, host_name());
  held.reset();
  EXPECT_FALSE(FileLock::is_held(path()));
  EXPECT_TRUE(FileLock::try_lock(path()));
}

TEST_F(Files, ALockEndsWithItsProcessHoweverThatEnds) {
  const int code = in_a_child([&] {
    const auto lock = FileLock::try_lock(path());
    std::raise(SIGKILL);
    return lock ? 1 : 2;
  });
  EXPECT_EQ(code, 128 + SIGKILL);
  EXPECT_TRUE(file_exists(path()));
  EXPECT_TRUE(FileLock::try_lock(path()));
}

// The owner removes the file while it still holds the lock: a later starter must not lock the
// removed file.
TEST_F(Files, ALockOnARemovedFileKeepsNobodyOut) {
  const auto old = FileLock::try_lock(path());
  remove_file(path());
  const auto fresh = FileLock::try_lock(path());
  EXPECT_TRUE(fresh);
  EXPECT_FALSE(FileLock::try_lock(path()));
}

}  // namespace
}  // namespace attune
