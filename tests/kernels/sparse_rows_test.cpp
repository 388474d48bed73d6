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
