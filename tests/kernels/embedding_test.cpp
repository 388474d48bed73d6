#include "kernels/embedding.h"

#include <gmock/gmock.h>

#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;

TEST(Embedding, EveryTokenGetsItsRow) {
  const auto table = Array<float>::random({5, 7}, 1);
  const Ids ids = testing::ids({4, 0, 0, 3});
  Array<float> y({4, 7});
  embedding(in(table), in(ids), y.view());
  for (Index i = 0; i < 4; ++i) {
    for (Index j = 0; j < 7; ++j) EXPECT_EQ(y[i * 7 + j], table[ids[i] * 7 + j]);
  }
}

TEST(Embedding, GradientsMatchCentralDifferences) {
  for (const auto& tokens : std::vector<std::vector<std::int32_t>>{
           {0}, {2, 2, 2}, {4, 0, 3, 0}, {1, 4, 1, 4, 1, 0, 3}, {3, 2, 1, 0}}) {
    for (Index d : {1, 5, 17}) {
      const Ids ids = testing::ids(tokens);
      auto table = Array<double>::random({5, d}, 1);
      const auto dy = Array<double>::random({ids.size(), d}, 2);
      Array<double> dtable({5, d}, 1), y({ids.size(), d});
      embedding_backward(in(dy), in(ids), dtable.view());
      for (Index i = 0; i < 5 * d; ++i) dtable[i] -= 1;
      testing::expect_gradient("table", table, dtable, [&] {
        embedding(in(table), in(ids), y.view());
        return testing::dot(y, dy);
      });
    }
  }
}

// 1 + 2⁻²⁴ + 2⁻²⁴ is 1 from the left in float, and 1 + 2⁻²³ in another order.
TEST(Embedding, RowsOfOneIdAddUpInTheOrderOfTheTokens) {
  const Ids ids = testing::ids({1, 0, 1, 1});
  Array<float> dy({4, 1}), dtable({2, 1});
  dy[0] = 1;
  dy[2] = dy[3] = 0x1p-24F;
  embedding_backward(in(dy), in(ids), dtable.view());
  EXPECT_EQ(dtable[1], 1.0F);
  dy[0] = dy[2] = 0x1p-24F;
  dy[3] = 1;
  dtable[1] = 0;
  embedding_backward(in(dy), in(ids), dtable.view());
  EXPECT_EQ(dtable[1], 1.0F + 0x1p-23F);
}

TEST(Embedding, BitsDoNotDependOnThreads) {
  const Index n = 6000, d = 67, vocabulary = 101;
  Ids ids({n});
  for (Index i = 0; i < n; ++i) ids[i] = static_cast<std::int32_t>(i * i % vocabulary);
  const auto table = Array<float>::random({vocabulary, d}, 1);
  testing::expect_same_on_threads<float>({"embedding", "embedding_backward"}, [&] {
    Array<float> y({n, d}), dtable({vocabulary, d});
    embedding(in(table), in(ids), y.view());
    embedding_backward(in(y), in(ids), dtable.view());
    return std::vector{y, dtable};
  });
}

TEST(Embedding, AnIdOutsideTheTableIsNamed) {
  const Array<float> table({5, 2});
  Array<float> y({2, 2});
  for (std::int32_t bad : {5, -1}) {
    const Ids ids = testing::ids({0, bad});
    try {
      embedding(in(table), in(ids), y.view());
      FAIL();
    } catch (const ShapeError& e) {
      EXPECT_THAT(e.what(), ::testing::HasSubstr("ids[1] is " + std::to_string(bad) +
                                                 ", but the table has rows 0 … 4"));
    }
  }
}

}  // namespace
}  // namespace attune::kernels
