#include "kernels/sparse_linear.h"

#include <gmock/gmock.h>

#include <limits>

#include "kernels/linear.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;
using testing::same_bits;

// A random sparse matrix: rows of up to 9 entries, every fourth without any, columns in no order
// and sometimes twice.
template <class Real>
struct Matrix {
  Index n, d_in;
  Ids indptr, indices;
  Array<Real> values;

  Matrix(Index rows, Index columns, std::uint64_t seed = 1)
      : n(rows), d_in(columns), indptr({rows + 1}), indices({0}), values({0}) {
    const Stream stream(seed);
    std::vector<std::int32_t> at;
    std::uint64_t draw = 0;
    for (Index i = 0; i < n; ++i) {
      const std::uint32_t entries = i % 4 == 3 ? 0 : stream.below(10, draw++);
      for (std::uint32_t e = 0; e < entries; ++e)
        at.push_back(
            static_cast<std::int32_t>(stream.below(static_cast<std::uint32_t>(d_in), draw++)));
      indptr[i + 1] = static_cast<std::int32_t>(at.size());
    }
    indices = testing::ids(at);
    values = Array<Real>::random({indices.size()}, seed + 1);
  }
  SparseRows rows() const { return {in(indptr), in(indices)}; }
  Index row_of(Index entry) const {
    return std::upper_bound(indptr.view().begin(), indptr.view().end(), entry) -
           indptr.view().begin() - 1;
  }
  Array<Real> dense() const {
    Array<Real> x({n, d_in});
    for (Index e = 0; e < values.size(); ++e) x[row_of(e) * d_in + indices[e]] += values[e];
    return x;
  }
};

template <class Real>
class SparseLinear : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SparseLinear, Reals);

const std::vector<std::array<Index, 3>> kShapes = {  // n, d_in, d_out
    {1, 1, 1}, {7, 5, 3}, {40, 33, 64}, {5, 200, 70}, {0, 4, 5}, {3, 70, 17}, {130, 90, 8}};

TYPED_TEST(SparseLinear, IsTheDenseProduct) {
  for (const auto& [n, d_in, d_out] : kShapes) {
    const Matrix<TypeParam> x(n, d_in);
    const auto weight = Array<TypeParam>::random({d_out, d_in}, 3);
    const auto bias = Array<TypeParam>::random({d_out}, 4);
    const auto dense = testing::widened(x.dense()), w = testing::widened(weight);
    for (const bool with_bias : {true, false}) {
      Array<TypeParam> y({n, d_out}, -7);
      Array<double> want({n, d_out});
      sparse_linear(x.rows(), in(x.values), in(weight),
                    with_bias ? in(bias) : View<const TypeParam>(), y.view());
      for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < d_out; ++j) {
          want[i * d_out + j] = with_bias ? static_cast<double>(bias[j]) : 0;
          for (Index k = 0; k < d_in; ++k)
            want[i * d_out + j] += dense[i * d_in + k] * w[j * d_in + k];
        }
      }
      EXPECT_LE(testing::error(y, want), testing::tolerance<TypeParam>());
    }
  }
}

TYPED_TEST(SparseLinear, TheGradientOfTheWeightIsThatOfTheDenseProduct) {
  for (const auto& [n, d_in, d_out] : kShapes) {
    const Matrix<TypeParam> x(n, d_in);
    const auto weight = Array<TypeParam>::random({d_out, d_in}, 3);
    const auto dy = Array<TypeParam>::random({n, d_out}, 4);
    Array<TypeParam> dweight(weight.shape(), 1);
    sparse_linear_backward<TypeParam>(x.rows(), in(dy), in(x.values), in(weight), {},
                                      dweight.view());
    Array<double> want(weight.shape(), 1);  // backward adds
    const auto dense = testing::widened(x.dense()), upstream = testing::widened(dy);
    linear_backward_weight(in(upstream), in(dense), want.view());
    EXPECT_LE(testing::error(dweight, want), testing::tolerance<TypeParam>());
  }
}

TEST(SparseLinearOfDoubles, GradientsMatchCentralDifferences) {
  for (const auto& [n, d_in, d_out] :
       std::vector<std::array<Index, 3>>{{4, 5, 3}, {9, 20, 17}, {2, 3, 70}}) {
    Matrix<double> x(n, d_in);
    auto weight = Array<double>::random({d_out, d_in}, 3);
    const auto dy = Array<double>::random({n, d_out}, 4);
    Array<double> dvalues(x.values.shape(), 2), dweight(weight.shape(), 2), y(dy.shape());
    sparse_linear_backward<double>(x.rows(), in(dy), in(x.values), in(weight), dvalues.view(),
                                   dweight.view());
    for (double& v : dvalues.view()) v -= 2;
    for (double& v : dweight.view()) v -= 2;
    const auto loss = [&] {
      sparse_linear<double>(x.rows(), in(x.values), in(weight), {}, y.view());
      return testing::dot(y, dy);
    };
    testing::expect_gradient("values", x.values, dvalues, loss);
    testing::expect_gradient("weight", weight, dweight, loss);
  }
}

// Zeros, of either sign, change no bit, whatever the weights that they would meet.
TYPED_TEST(SparseLinear, AnEntryOfZeroIsAsIfItWereNotStored) {
  const Index n = 70, d_in = 41;
  for (const Index d_out : {3, 16, 64, 70}) {
    const Matrix<TypeParam> x(n, d_in);
    std::vector<std::int32_t> columns, starts{0};
    std::vector<TypeParam> numbers;
    for (Index i = 0; i < n; ++i) {
      for (Index e = x.indptr[i]; e < x.indptr[i + 1]; ++e) {
        for (Index zeros = (i + e) % 4; zeros > 0; --zeros) {
          columns.push_back(static_cast<std::int32_t>(d_in + zeros % 2));
          numbers.push_back(zeros == 3 ? TypeParam(-0.0) : TypeParam(0));
        }
        columns.push_back(x.indices[e]);
        numbers.push_back(x.values[e]);
      }
      starts.push_back(static_cast<std::int32_t>(columns.size()));
    }
    const Ids indptr = testing::ids(starts), indices = testing::ids(columns);
    Array<TypeParam> values({indices.size()});
    std::copy(numbers.begin(), numbers.end(), values.view().begin());
    const SparseRows longer{in(indptr), in(indices)};

    const auto weight = Array<TypeParam>::random({d_out, d_in}, 3);
    const auto dy = Array<TypeParam>::random({n, d_out}, 4);
    Array<TypeParam> wide({d_out, d_in + 2}, std::numeric_limits<TypeParam>::infinity());
    for (Index j = 0; j < d_out; ++j)
      for (Index k = 0; k < d_in; ++k) wide[j * (d_in + 2) + k] = weight[j * d_in + k];
    Array<TypeParam> y({n, d_out}), same({n, d_out});
    sparse_linear<TypeParam>(x.rows(), in(x.values), in(weight), {}, y.view());
    sparse_linear<TypeParam>(longer, in(values), in(wide), {}, same.view());
    EXPECT_TRUE(same_bits(y, same)) << d_out;

    Array<TypeParam> dweight(weight.shape(), 1), dwide(wide.shape(), 1);
    sparse_linear_backward<TypeParam>(x.rows(), in(dy), in(x.values), in(weight), {},
                                      dweight.view());
    sparse_linear_backward<TypeParam>(longer, in(dy), in(values), in(wide), {}, dwide.view());
    for (Index j = 0; j < d_out; ++j) {
      for (Index k = 0; k < d_in; ++k)
        EXPECT_EQ(dwide[j * (d_in + 2) + k], dweight[j * d_in + k]) << d_out;
      EXPECT_EQ(dwide[j * (d_in + 2) + d_in], 1);
    }
  }
}

TYPED_TEST(SparseLinear, ARowsBitsDependOnItsEntriesAlone) {
  const Index n = 140, d_in = 33, d_out = 70;
  const Matrix<TypeParam> x(n, d_in);
  const auto weight = Array<TypeParam>::random({d_out, d_in}, 3);
  Array<TypeParam> y({n, d_out}), one({1, d_out});
  sparse_linear<TypeParam>(x.rows(), in(x.values), in(weight), {}, y.view());
  for (Index i = 0; i < n; i += 13) {
    const Index first = x.indptr[i], end = x.indptr[i + 1];
    const Ids indptr = testing::ids({0, static_cast<std::int32_t>(end - first)});
    const Ids indices = testing::rows_of(x.indices, first, end);
    const auto values = testing::rows_of(x.values, first, end);
    sparse_linear<TypeParam>({in(indptr), in(indices)}, in(values), in(weight), {}, one.view());
    EXPECT_TRUE(same_bits(one, testing::rows_of(y, i, i + 1)));
  }
}

TYPED_TEST(SparseLinear, BitsDoNotDependOnThreads) {
  const Index n = 3000, d_in = 300, d_out = 37;
  const Matrix<TypeParam> x(n, d_in);
  const auto weight = Array<TypeParam>::random({d_out, d_in}, 3);
  const Ids example({n}, 5);
  Ids token({n});
  for (Index i = 0; i < n; ++i) token[i] = static_cast<std::int32_t>(i);
  testing::expect_same_on_threads<TypeParam>(
      {"sparse_linear", "sparse_linear_values", "sparse_linear_weight", "sparse_dropout"}, [&] {
        Array<TypeParam> y({n, d_out}), dvalues(x.values.shape()), dweight(weight.shape());
        Array<TypeParam> kept(x.values.shape());
        sparse_dropout<TypeParam>({0.5, 3, 1}, x.rows(), in(example), in(token), in(x.values),
                                  kept.view());
        sparse_linear<TypeParam>(x.rows(), in(kept), in(weight), {}, y.view());
        sparse_linear_backward<TypeParam>(x.rows(), in(y), in(kept), in(weight), dvalues.view(),
                                          dweight.view());
        return std::vector{kept, y, dvalues, dweight};
      });
}

// Bit for bit, in value and gradient: the dense matrix holds each entry once.
TYPED_TEST(SparseLinear, SparseDropoutDrawsTheMaskOfTheDenseRows) {
  const Index n = 9, d = 150;
  Ids indptr({n + 1}), example({n}), token({n});
  std::vector<std::int32_t> columns;
  for (Index i = 0; i < n; ++i) {
    for (Index j = i; j < d; j += 1 + i % 5) columns.push_back(static_cast<std::int32_t>(j));
    if (i == 4) std::reverse(columns.begin() + indptr[i], columns.end());
    indptr[i + 1] = static_cast<std::int32_t>(columns.size());
    example[i] = static_cast<std::int32_t>(40 + i / 4);
    token[i] = static_cast<std::int32_t>(1000 * i);
  }
  const Ids indices = testing::ids(columns);
  const SparseRows rows{in(indptr), in(indices)};
  const auto values = Array<TypeParam>::random({indices.size()}, 1);
  Array<TypeParam> dense({n, d}), dense_y({n, d}), dense_dx({n, d}, 1);
  Array<TypeParam> y(values.shape()), dvalues(values.shape(), 1);
  const DropoutOptions options{0.6, 77, 3};
  for (Index i = 0; i < n; ++i)
    for (Index e = indptr[i]; e < indptr[i + 1]; ++e) dense[i * d + indices[e]] = values[e];
  dropout(options, in(example), in(token), in(dense), dense_y.view());
  dropout_backward(options, in(example), in(token), in(dense), dense_dx.view());
  sparse_dropout(options, rows, in(example), in(token), in(values), y.view());
  sparse_dropout_backward(options, rows, in(example), in(token), in(values), dvalues.view());
  for (Index i = 0; i < n; ++i) {
    for (Index e = indptr[i]; e < indptr[i + 1]; ++e) {
      EXPECT_EQ(y[e], dense_y[i * d + indices[e]]);
      EXPECT_EQ(dvalues[e], dense_dx[i * d + indices[e]]);
    }
  }
}

TYPED_TEST(SparseLinear, WithoutProbabilityDropoutCopiesAndAsksForNoCoordinates) {
  const Matrix<TypeParam> x(5, 9);
  Array<TypeParam> y(x.values.shape()), dvalues(x.values.shape());
  sparse_dropout<TypeParam>({}, x.rows(), {}, {}, in(x.values), y.view());
  sparse_dropout_backward<TypeParam>({}, x.rows(), {}, {}, in(x.values), dvalues.view());
  EXPECT_TRUE(same_bits(y, x.values));
  EXPECT_TRUE(same_bits(dvalues, x.values));
}

TEST(SparseLinearOfDoubles, OperandsThatDoNotFitAreNamed) {
  const auto refusal = [](const std::vector<std::int32_t>& indptr,
                          const std::vector<std::int32_t>& indices) -> std::string {
    const Ids starts = testing::ids(indptr), columns = testing::ids(indices);
    const Array<double> values({columns.size()}), weight({3, 4});
    Array<double> y({2, 3});
    try {
      sparse_linear<double>({in(starts), in(columns)}, in(values), in(weight), {}, y.view());
    } catch (const ShapeError& e) {
      return e.what();
    }
    return "";
  };
  using ::testing::HasSubstr;
  EXPECT_EQ(refusal({0, 1, 3}, {3, 0, 1}), "");
  EXPECT_THAT(refusal({0, 3}, {3, 0, 1}), HasSubstr("indptr is [2], but must be [3]"));
  EXPECT_THAT(refusal({0, 1, 2}, {3, 0, 1}), HasSubstr("indptr goes from 0 to 2, but must go from "
                                                       "0 to the number of indices, 3"));
  EXPECT_THAT(refusal({0, 4, 3}, {3, 0, 1}), HasSubstr("indptr[1] is 4 and indptr[2] is 3"));
  EXPECT_THAT(refusal({0, 1, 3}, {3, 4, 1}),
              HasSubstr("indices[1] is 4, but must be one of 0 … 3"));
  EXPECT_THAT(refusal({0, 1, 3}, {3, -1, 1}), HasSubstr("indices[1] is -1"));
}

}  // namespace
}  // namespace attune::kernels
