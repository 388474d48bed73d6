#include "kernels/sparse_rows.h"

#include "tests/reference/graph_reference.h"

namespace attune::kernels {
namespace {

using testing::Ids;
using testing::ids;
using testing::in;

TEST(SparseRowsByColumn, HoldEveryEntryOnceInItsColumnRising) {
  const testing::Graphs g = testing::random_graphs({30, 9});
  const EntriesByColumn by = by_column(g.edges(), g.n());
  EXPECT_EQ(by.start[0], 0);
  EXPECT_EQ(by.start[g.n()], g.m());
  for (Index c = 0; c < g.n(); ++c) {
    for (Index t = by.start[c]; t < by.start[c + 1]; ++t) {
      const Index entry = by.entry[t], row = by.row[t];
      EXPECT_EQ(g.edges().indices[entry], c);
      EXPECT_TRUE(g.edges().indptr[row] <= entry && entry < g.edges().indptr[row + 1]);
      EXPECT_TRUE(t == by.start[c] || entry > by.entry[t - 1]);
    }
  }
}

// By its definition, and not from memory.
void expect_columns(const SparseRows& rows, Index n_columns, const EntriesByColumn& by) {
  std::vector<std::int32_t> start{0}, entry, row;
  for (Index c = 0; c < n_columns; ++c) {
    for (Index i = 0; i < rows.n_rows(); ++i) {
      for (std::int32_t e = rows.indptr[i]; e < rows.indptr[i + 1]; ++e) {
        if (rows.indices[e] != c) continue;
        entry.push_back(e);
        row.push_back(static_cast<std::int32_t>(i));
      }
    }
    start.push_back(static_cast<std::int32_t>(entry.size()));
  }
  const auto numbers = [](View<const std::int32_t> x) { return std::vector(x.begin(), x.end()); };
  EXPECT_EQ(numbers(by.start), start);
  EXPECT_EQ(numbers(by.entry), entry);
  EXPECT_EQ(numbers(by.row), row);
}

// More of them than are remembered, of which some differ in one number alone.
TEST(SparseRowsByColumn, AreThoseOfTheRowsThatWereGivenLast) {
  std::vector<testing::Graphs> all;
  for (const int nodes : {12, 13, 12, 12, 12, 12, 0})
    all.push_back(testing::random_graphs({nodes}));
  all[2].indices.back() = (all[2].indices.back() + 1) % 12;
  std::swap(all[3].indices.front(), all[3].indices.back());
  all[4].indptr[5] = all[4].indptr[6];
  all[5].indptr[7] = all[5].indptr[8];
  for (const std::size_t i : {0, 0, 1, 2, 0, 3, 4, 5, 0, 6, 1, 1, 5, 4, 3, 2, 1, 0, 6}) {
    const SparseRows rows = all[i].edges();
    expect_columns(rows, all[i].n(), by_column(rows, all[i].n()));
    expect_columns(rows, 20, by_column(rows, 20));
  }
}

TEST(SparseRowsByColumn, StayUntilFourOthersWereAskedFor) {
  const testing::Graphs first = testing::random_graphs({25}, 9);
  const EntriesByColumn by = by_column(first.edges(), first.n());
  for (const std::uint64_t seed : {1, 2, 3}) {
    const testing::Graphs other = testing::random_graphs({40}, seed);
    by_column(other.edges(), other.n());
  }
  expect_columns(first.edges(), first.n(), by);
  EXPECT_EQ(by_column(first.edges(), first.n()).entry.data(), by.entry.data());
}

TEST(SparseRowsByLength, EveryRowComesOnceAndTheShortOnesOfABlockFirst) {
  const Stream stream(5);
  for (const auto& [begin, end] :
       std::vector<std::pair<Index, Index>>{{0, 0}, {0, 1}, {3, 67}, {0, 64}, {10, 75}, {0, 300}}) {
    std::vector<std::int32_t> indptr{0};
    for (Index i = 0; i < end; ++i) {
      const auto draw = static_cast<std::uint64_t>(i);
      const std::uint32_t length =
          i % 9 == 0 ? 50 + stream.below(200, draw) : stream.below(7, draw);
      indptr.push_back(indptr.back() + static_cast<std::int32_t>(length));
    }
    std::vector<Index> seen;
    for_rows_by_length(indptr.data(), begin, end, [&](Index i) { seen.push_back(i); });
    ASSERT_EQ(seen.size(), static_cast<std::size_t>(end - begin));
    const auto length = [&](Index i) {
      const auto at = static_cast<std::size_t>(i);
      return std::min(indptr[at + 1] - indptr[at], 62);  // from there on they count as equal
    };
    for (std::size_t t = 0; t < seen.size(); ++t) {
      EXPECT_EQ((seen[t] - begin) / 64, static_cast<Index>(t) / 64);
      if (t % 64 == 0) continue;
      const bool equal = length(seen[t]) == length(seen[t - 1]);
      EXPECT_TRUE(equal ? seen[t] > seen[t - 1] : length(seen[t]) > length(seen[t - 1]));
    }
  }
}

TEST(SparseRowsCheck, TakesWhatIsWholeAndRefusesEverythingElse) {
  const auto check = [](const std::vector<std::int32_t>& indptr,
                        const std::vector<std::int32_t>& indices) {
    const Ids starts = ids(indptr), places = ids(indices);
    check_sparse_rows("here", {in(starts), in(places)}, starts.size() - 1, 5);
  };
  EXPECT_NO_THROW(check({0, 2, 2}, {4, 0}));
  EXPECT_NO_THROW(check({0}, {}));
  EXPECT_THROW(check({1, 2}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, 1}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, 2, 1, 2}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, 9, 2}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, -1, 2}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, 1}, {5}), ShapeError);
  EXPECT_THROW(check({0, 1}, {-1}), ShapeError);
}

}  // namespace
}  // namespace attune::kernels
