#include "base/text.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(Text, EditDistanceIsThatOfTextbooks) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("flaw", "lawn"), 2u);
  EXPECT_EQ(edit_distance("same", "same"), 0u);
}

TEST(Text, ASwapOfNeighboursIsOneEdit) {
  EXPECT_EQ(edit_distance("modle", "model"), 1u);
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
}

TEST(Text, EditDistanceIsSymmetric) {
  EXPECT_EQ(edit_distance("n_heads", "heads"), edit_distance("heads", "n_heads"));
  EXPECT_EQ(edit_distance("ca", "abc"), edit_distance("abc", "ca"));
}

TEST(Text, TheNearestCandidateIsMeant) {
  EXPECT_EQ(did_you_mean("modle", {"train", "model", "mode"}), "model");
  EXPECT_EQ(did_you_mean("heads", {"d_head", "n_heads"}), "n_heads");
}

TEST(Text, AnUnrelatedWordIsNeverMeant) {
  EXPECT_EQ(did_you_mean("epochs", {"steps", "seeds", "optim"}), std::nullopt);
  EXPECT_EQ(did_you_mean("k", {"q", "v"}), std::nullopt);
  EXPECT_EQ(did_you_mean("", {"a", "ab"}), std::nullopt);
}

TEST(Text, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("naïve"), 5u);
  EXPECT_EQ(display_width("e\xCC\x81"), 1u);  // e and a combining acute
  EXPECT_EQ(display_width("注意"), 4u);
  EXPECT_EQ(pad_right("ï", 3) + "|", "ï  |");
  EXPECT_EQ(pad_left("ï", 3), "  ï");
}

TEST(Text, BytesThatAreNoUtf8AreFound) {
  EXPECT_EQ(invalid_utf8("plain, naïve, 注意, 🙂"), std::string_view::npos);
  EXPECT_EQ(invalid_utf8("ab\xFF"), 2u);
  EXPECT_EQ(invalid_utf8("\xC0\xAF"), 0u);          // overlong '/'
  EXPECT_EQ(invalid_utf8("a\xED\xA0\x80"), 1u);     // a surrogate
  EXPECT_EQ(invalid_utf8("a\xE6\xB3"), 1u);         // cut short
  EXPECT_EQ(invalid_utf8("\xF4\x90\x80\x80"), 0u);  // above U+10FFFF
}

TEST(Text, WrapKeepsEveryLineWithinItsWidth) {
  EXPECT_EQ(wrap("one two three four", 9, 2), "one two\n  three\n  four");
  EXPECT_EQ(wrap("  spaces   collapse ", 80), "spaces collapse");
  EXPECT_EQ(wrap("a considerable word", 4), "a\nconsiderable\nword");
}

TEST(Text, HangsTheLinesAfterTheFirst) {
  EXPECT_EQ(hang("one", 4), "one");
  EXPECT_EQ(hang("one\ntwo\n\nfour", 2), "one\n  two\n  \n  four");
}

}  // namespace
}  // namespace attune
