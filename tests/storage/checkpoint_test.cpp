#include "storage/checkpoint.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "tests/storage/sample.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::ThrowsMessage;
using Outcome = CheckpointSearch::Outcome;

Checkpoint checkpoint(Index step) {
  return {step,
          static_cast<std::uint64_t>(step) * 10,
          std::string(64, 'i'),
          "build",
          {{"parameters", std::string(1000, 'p')}, {"empty", ""}, {"step", std::to_string(step)}}};
}

CheckpointSearch load(const TemporaryFolder& folder, std::uint64_t journal_bytes = 1 << 20) {
  return load_newest_valid(folder.path(), std::string(64, 'i'), "build", journal_bytes);
}

TEST(Checkpoint, ReturnsAsItWasSavedAndTwoAreKept) {
  const TemporaryFolder folder;
  EXPECT_EQ(load(folder).outcome, Outcome::none);
  for (Index step : {7, 14, 100}) save_checkpoint(folder.path(), checkpoint(step));
  EXPECT_THAT(list_folder(folder.path()), ElementsAre("ckpt-100", "ckpt-14"));
  const CheckpointSearch search = load(folder);
  ASSERT_EQ(search.outcome, Outcome::found);
  EXPECT_EQ(*search.checkpoint, checkpoint(100));
  EXPECT_THAT(search.notices, IsEmpty());
}

// A flipped bit at each of many places, and a cut at many lengths: the older one is used, with a
// sentence.
TEST(Checkpoint, ADamagedOneIsPassedOverForTheOneBefore) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), checkpoint(7));
  save_checkpoint(folder.path(), checkpoint(14));
  const std::string whole = read_file(folder / "ckpt-14");
  for (std::size_t at = 0; at < whole.size(); at += 13) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 16);
    for (const std::string& bytes : {flipped, whole.substr(0, at)}) {
      write_synced(folder / "ckpt-14", bytes);
      const CheckpointSearch search = load(folder);
      ASSERT_EQ(search.outcome, Outcome::found) << at;
      ASSERT_EQ(search.checkpoint->step, 7) << at;
      ASSERT_THAT(search.notices, ElementsAre(HasSubstr("ckpt-14"))) << at;
    }
  }
}

TEST(Checkpoint, OfAnotherBuildMeansToBeginAnew) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), checkpoint(7));
  const CheckpointSearch search =
      load_newest_valid(folder.path(), std::string(64, 'i'), "newer", 1 << 20);
  EXPECT_EQ(search.outcome, Outcome::other_build);
  EXPECT_FALSE(search.checkpoint);
  EXPECT_THAT(search.notices,
              ElementsAre(HasSubstr("another build of attune (build, this one is newer)")));
}

TEST(Checkpoint, OfAnotherTrialOrAheadOfItsJournalIsNotUsed) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), checkpoint(7));
  save_checkpoint(folder.path(), checkpoint(14));
  EXPECT_EQ(load(folder, 139).checkpoint->step, 7);
  EXPECT_EQ(load(folder, 140).checkpoint->step, 14);
  const CheckpointSearch other =
      load_newest_valid(folder.path(), std::string(64, 'j'), "build", 1 << 20);
  EXPECT_EQ(other.outcome, Outcome::none);
  EXPECT_THAT(other.notices, SizeIs(2));
}

// A trial that began anew must not lose its first checkpoint to the higher steps of the attempt
// before.
TEST(Checkpoint, ThoseOfAGivenUpAttemptGoFirst) {
  const TemporaryFolder folder;
  for (Index step : {100, 200, 7}) save_checkpoint(folder.path(), checkpoint(step));
  EXPECT_THAT(list_folder(folder.path()), ElementsAre("ckpt-7"));
}

TEST(Checkpoint, OfAnotherVersionIsRefusedWithASentence) {
  const TemporaryFolder folder;
  write_atomically(folder / "ckpt-1", "attune.checkpoint@2\nwhatever");
  EXPECT_THAT(
      [&] { read_checkpoint(folder / "ckpt-1"); },
      ThrowsMessage<DamagedError>(HasSubstr("of another version of attune (2, this one reads 1)")));
}

// The digest is right, a size inside is not: no memory is taken for it.
TEST(Checkpoint, AnAbsurdSizeInsideIsDamage) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), {1, 0, "", "", {{"a", "xyz"}}});
  std::string body = read_file(folder / "ckpt-1");
  body.resize(body.size() - 64);
  body[body.size() - 3 - 1] = '\x7f';  // the high byte of the u64 before "xyz"
  write_atomically(folder / "ckpt-1", body + sha256(body));
  EXPECT_THAT([&] { read_checkpoint(folder / "ckpt-1"); },
              ThrowsMessage<DamagedError>(HasSubstr("do not add up")));
}

}  // namespace
}  // namespace attune
