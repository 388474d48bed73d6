#include "storage/journal.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/storage/sample.h"

namespace attune {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Tail = JournalContent::Tail;

const std::vector<JournalRecord> kRecords = {
    MetricRecord{"train", "loss", 10, 0.5},
    HashRecord{10, 0xfedcba9876543210U},
    ProbeRecord{"entropy", "entropy", 10, {1, -2.5, 1e300}},
    ProbeRecord{"empty", "", 0, {}},
    NoteRecord{"größer"},
    ProgressRecord{12, 300, 0.25},
};

// Writes the records; the journal's size after none, one, … all of them.
std::vector<std::uint64_t> write_journal(const std::string& path) {
  Journal journal(path);
  std::vector<std::uint64_t> sizes = {journal.size()};
  for (const JournalRecord& record : kRecords) {
    journal.append(record);
    sizes.push_back(journal.size());
  }
  journal.sync();
  return sizes;
}

TEST(Journal, EveryRecordIsReadAsItWasWritten) {
  const TemporaryFolder folder;
  const auto sizes = write_journal(folder / "journal");
  const JournalContent content = read_journal(folder / "journal");
  EXPECT_EQ(content.records, kRecords);
  EXPECT_EQ(content.bytes, sizes.back());
  EXPECT_EQ(content.tail, Tail::whole);
  EXPECT_EQ(content.problem, "");
}

TEST(Journal, AnAbsentOrEmptyOneHasNoRecords) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_journal(folder / "none").tail, Tail::whole);
  write_atomically(folder / "journal", "");
  EXPECT_EQ(read_journal(folder / "journal").bytes, 0U);
}

// Cut at every byte: what was whole before the cut is kept, and the journal goes on from there.
TEST(Journal, ATornTailIsDroppedWhereverItIsTorn) {
  const TemporaryFolder folder;
  const auto sizes = write_journal(folder / "whole");
  const std::string whole = read_file(folder / "whole");
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    write_synced(folder / "journal", whole.substr(0, cut));
    const JournalContent content = read_journal(folder / "journal");
    std::size_t good = 0;
    while (good + 1 < sizes.size() && sizes[good + 1] <= cut) ++good;
    ASSERT_EQ(content.records.size(), good) << cut;
    const bool at_boundary = cut == 0 || std::find(sizes.begin(), sizes.end(), cut) != sizes.end();
    ASSERT_EQ(content.tail, at_boundary ? Tail::whole : Tail::torn) << cut;
    Journal journal(folder / "journal", content.bytes);
    for (std::size_t i = good; i < kRecords.size(); ++i) journal.append(kRecords[i]);
    ASSERT_EQ(read_file(folder / "journal"), whole) << cut;
  }
}

// A flipped bit costs its record and those behind it; no record is ever read wrong.
TEST(Journal, AFlippedBitIsFoundWhereverItIs) {
  const TemporaryFolder folder;
  const auto sizes = write_journal(folder / "whole");
  const std::string whole = read_file(folder / "whole");
  for (std::size_t at = sizes[0]; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
    write_synced(folder / "journal", bytes);
    const JournalContent content = read_journal(folder / "journal");
    std::size_t good = 0;
    while (sizes[good + 1] <= at) ++good;
    ASSERT_EQ(content.records.size(), good) << at;
    ASSERT_TRUE(std::equal(content.records.begin(), content.records.end(), kRecords.begin())) << at;
    ASSERT_NE(content.tail, Tail::whole);
    ASSERT_THAT(content.problem, HasSubstr(fmt::format("byte {} of", sizes[good]))) << at;
  }
}

TEST(Journal, DamageInTheMiddleIsToldFromATornEnd) {
  const TemporaryFolder folder;
  const auto sizes = write_journal(folder / "journal");
  std::string bytes = read_file(folder / "journal");
  bytes[sizes[1] + 6] ^= 1;  // in the payload of the second record
  write_atomically(folder / "journal", bytes);
  const JournalContent content = read_journal(folder / "journal");
  EXPECT_EQ(content.tail, Tail::damaged);
  EXPECT_THAT(content.problem,
              HasSubstr(fmt::format("the record at byte {} of {} is damaged; the 1 records before",
                                    sizes[1], bytes.size())));
}

TEST(Journal, AnotherFileOrVersionIsRefused) {
  const TemporaryFolder folder;
  write_atomically(folder / "journal", "hello, this is no journal\n");
  EXPECT_THAT([&] { read_journal(folder / "journal"); },
              ThrowsMessage<DamagedError>(HasSubstr("is no journal")));
  write_atomically(folder / "journal", "attune.journal@2\n......");
  EXPECT_THAT(
      [&] { read_journal(folder / "journal"); },
      ThrowsMessage<DamagedError>(HasSubstr("of another version of attune (2, this one reads 1)")));
}

}  // namespace
}  // namespace attune
