#include "kernels/sparse.h"

#include <gmock/gmock.h>

#include <random>

#include "kernels/linear.h"
#include "tests/reference/dropout_reference.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::ids;
using testing::in;
using testing::same_bits;

// Rows of any number of entries, none included, in any order and some of them twice.
struct Sparse {
  Index n, d_in;
  Ids indptr, indices;

  Sparse(Index rows, Index columns, Index most, unsigned seed)
      : n(rows), d_in(columns), indptr(ids({0})), indices(ids({})) {
    std::mt19937 random(seed);
    std::vector<std::int32_t> starts = {0}, places;
    for (Index i = 0; i < rows; ++i) {
      for (Index k = random() % static_cast<unsigned>(most + 1); k > 0; --k)
        places.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(columns)));
      starts.push_back(static_cast<std::int32_t>(places.size()));
    }
    indptr = ids(starts);
    indices = ids(places);
  }
  SparseRows rows() const { return {indptr.view(), indices.view()}; }
  Index entries() const { return indices.size(); }
  template <class Real>
  Array<Real> dense(const Array<Real>& values) const {
    Array<Real> x({n, d_in});
    for (Index i = 0; i < n; ++i)
      for (Index e = indptr[i]; e < indptr[i + 1]; ++e) x[i * d_in + indices[e]] += values[e];
    return x;
  }
};

const std::vector<std::array<Index, 4>> kSizes = {  // rows, columns, most entries a row, d_out
    {1, 1, 1, 1},       {5, 9, 4, 7}, {200, 40, 12, 64},
    {33, 300, 20, 130}, {4, 6, 0, 3}, {70, 5, 30, 17}};

template <class Real>
class SparseLinear : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SparseLinear, Reals);

TYPED_TEST(SparseLinear, IsTheProductOfTheDenseRows) {
  using Real = TypeParam;
  const double bound = std::is_same_v<Real, float> ? 3e-6 : 1e-14;
  for (const auto& [n, d_in, most, d] : kSizes) {
    const Sparse s(n, d_in, most, static_cast<unsigned>(n));
    const auto values = Array<Real>::random({s.entries()}, 1);
    const auto weight = Array<Real>::random({d, d_in}, 2);
    const auto bias = Array<Real>::random({d}, 3), dy = Array<Real>::random({n, d}, 4);
    Array<Real> y({n, d}, -1), dweight(weight.shape(), 2), dvalues(values.shape(), 5);
    sparse_linear(in(values), s.rows(), in(weight), in(bias), y.view());
    sparse_linear_backward_weight(in(dy), in(values), s.rows(), dweight.view());
    sparse_linear_backward_values(in(dy), s.rows(), in(weight), dvalues.view());
    const auto x = testing::widened(s.dense(values));
    Array<double> want({n, d}), want_weight(weight.shape(), 2), want_values(values.shape(), 5);
    for (Index i = 0; i < n; ++i)
      for (Index o = 0; o < d; ++o) {
        want[i * d + o] = static_cast<double>(bias[o]);
        for (Index c = 0; c < d_in; ++c) {
          want[i * d + o] += x[i * d_in + c] * static_cast<double>(weight[o * d_in + c]);
          want_weight[o * d_in + c] += x[i * d_in + c] * static_cast<double>(dy[i * d + o]);
        }
        for (Index e = s.indptr[i]; e < s.indptr[i + 1]; ++e)
          want_values[e] += static_cast<double>(dy[i * d + o]) *
                            static_cast<double>(weight[o * d_in + s.indices[e]]);
      }
    EXPECT_LT(testing::error(y, want), bound);
    EXPECT_LT(testing::error(dweight, want_weight), bound);
    EXPECT_LT(testing::error(dvalues, want_values), bound);
  }
}

TYPED_TEST(SparseLinear, BitsDependNeitherOnThreadsNorOnOtherRows) {
  using Real = TypeParam;
  const Sparse s(300, 80, 30, 7);
  const Index d = 72;
  const auto values = Array<Real>::random({s.entries()}, 1);
  const auto weight = Array<Real>::random({d, 80}, 2), dy = Array<Real>::random({300, d}, 4);
  struct Results {
    Array<Real> y, dweight, dvalues;
  };
  const auto run = [&](int count) {
    Results r{Array<Real>({300, d}), Array<Real>(weight.shape()), Array<Real>(values.shape())};
    Threads threads(count);
    threads.run([&] {
      sparse_linear(in(values), s.rows(), in(weight), {}, r.y.view());
      sparse_linear_backward_weight(in(dy), in(values), s.rows(), r.dweight.view());
      sparse_linear_backward_values(in(dy), s.rows(), in(weight), r.dvalues.view());
    });
    EXPECT_EQ(threads.splits().count("sparse_linear"), count > 1 ? 1U : 0U);
    return r;
  };
  const Results one = run(1);
  for (const int count : {2, 3}) {
    const Results more = run(count);
    EXPECT_TRUE(same_bits(more.y, one.y));
    EXPECT_TRUE(same_bits(more.dweight, one.dweight));
    EXPECT_TRUE(same_bits(more.dvalues, one.dvalues));
  }
  // A row by itself.
  for (const Index i : {0, 17, 299}) {
    const Index first = s.indptr[i], entries = s.indptr[i + 1] - first;
    const Ids indptr = ids({0, static_cast<std::int32_t>(entries)});
    const SparseRows alone{indptr.view(),
                           View<const std::int32_t>(s.indices.view().data() + first, {entries})};
    Array<Real> y({1, d});
    sparse_linear(View<const Real>(values.view().data() + first, {entries}), alone, in(weight), {},
                  y.view());
    for (Index j = 0; j < d; ++j) EXPECT_EQ(y[j], one.y[i * d + j]);
  }
}

TYPED_TEST(SparseLinear, DropsWhatDropoutDropsOfTheDenseRows) {
  using Real = TypeParam;
  const Sparse s(40, 500, 60, 3);
  const auto values = Array<Real>::random({s.entries()}, 1);
  std::vector<std::int32_t> example, token;
  for (std::int32_t i = 0; i < 40; ++i) {
    example.push_back(100 + i / 7);
    token.push_back(i % 7);
  }
  const Ids of = ids(example), at = ids(token);
  for (const double p : {0.0, 0.3, 0.6, 0.99}) {
    const DropoutOptions o{p, 0x1234567890abcdefULL, 17};
    Array<Real> y(values.shape(), -1), back(values.shape(), 3);
    sparse_dropout(o, s.rows(), of.view(), at.view(), in(values), y.view());
    sparse_dropout_backward(o, s.rows(), of.view(), at.view(), in(values), back.view());
    Array<Real> ones({40, 500}, 1), dense({40, 500});
    dropout(o, of.view(), at.view(), in(ones), dense.view());
    for (Index i = 0; i < 40; ++i)
      for (Index e = s.indptr[i]; e < s.indptr[i + 1]; ++e) {
        const bool kept =
            p == 0 || testing::kept(o.stream_key, p, 0, static_cast<std::uint32_t>(at[i]),
                                    static_cast<std::uint32_t>(s.indices[e]),
                                    static_cast<std::uint32_t>(of[i]), o.step);
        EXPECT_EQ(y[e], kept ? values[e] * static_cast<Real>(o.keep_scale()) : Real(0));
        EXPECT_EQ(y[e], values[e] * dense[i * 500 + s.indices[e]]);
        EXPECT_EQ(back[e],
                  kept ? std::fma(values[e], static_cast<Real>(o.keep_scale()), Real(3)) : Real(3));
      }
  }
}

TEST(SparseRows, ThatAreNoneAreRefused) {
  const auto check = [](const std::vector<std::int32_t>& indptr,
                        const std::vector<std::int32_t>& indices) {
    const Ids starts = ids(indptr), places = ids(indices);
    check_sparse("here", {starts.view(), places.view()}, 5);
  };
  EXPECT_NO_THROW(check({0, 2, 2}, {4, 0}));
  EXPECT_NO_THROW(check({0}, {}));
  EXPECT_THROW(check({1, 2}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, 1}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, 2, 1, 2}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, 9, 2}, {0, 0}), ShapeError);
  EXPECT_THROW(check({0, 1}, {5}), ShapeError);
  EXPECT_THROW(check({0, 1}, {-1}), ShapeError);
}

TEST(SparseRows, ByColumnKeepTheirOrder) {
  const Sparse s(30, 9, 8, 5);
  Ids indptr({10}), entries({s.entries()}), row_of({s.entries()});
  by_column(s.rows(), indptr.view(), entries.view(), row_of.view());
  EXPECT_EQ(indptr[0], 0);
  EXPECT_EQ(indptr[9], s.entries());
  for (Index c = 0; c < 9; ++c)
    for (Index k = indptr[c]; k < indptr[c + 1]; ++k) {
      EXPECT_EQ(s.indices[entries[k]], c);
      EXPECT_TRUE(s.indptr[row_of[k]] <= entries[k] && entries[k] < s.indptr[row_of[k] + 1]);
      EXPECT_TRUE(k == indptr[c] || entries[k] > entries[k - 1]);
    }
}

}  // namespace
}  // namespace attune::kernels
