#include "kernels/simd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/philox.h"
#include "kernels/philox_simd.h"

namespace attune::kernels {
namespace {

template <class Real>
class Simd : public ::testing::Test {
 public:
  static Vec<Real> counting(Real first) {
    constexpr int n = kLanes<Real>;
    Real x[n];
    for (int i = 0; i < n; ++i) x[i] = first + Real(i);
    return load(x);
  }
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Simd, Reals);

// Stores go to the end of an allocation, so that asan sees a touch beyond it; a guard sees what
// asan is not built for.
TYPED_TEST(Simd, TailsTouchOnlyTheirElements) {
  constexpr int n = kLanes<TypeParam>;
  for (Index count = 0; count <= n; ++count) {
    std::vector<TypeParam> from(static_cast<std::size_t>(count)),
        to(static_cast<std::size_t>(count) + n, -1);
    for (Index i = 0; i < count; ++i) from[static_cast<std::size_t>(i)] = TypeParam(i + 1);
    const Vec<TypeParam> x = load_n(from.data(), count);
    for (int i = 0; i < n; ++i)
      EXPECT_EQ(x[i], i < count ? TypeParam(i + 1) : 0) << i << " of " << count;
    store_n(to.data(), count, x + Vec<TypeParam>(TypeParam(1)));
    for (Index i = 0; i < count + n; ++i) {
      EXPECT_EQ(to[static_cast<std::size_t>(i)], i < count ? TypeParam(i + 2) : -1)
          << i << " of " << count;
    }
    const Mask<TypeParam> mask = first_lanes<TypeParam>(count);
    for (int i = 0; i < n; ++i) EXPECT_EQ(mask.bits[i] != 0, i < count);
  }
}

TYPED_TEST(Simd, FmaRoundsOnce) {
  constexpr int n = kLanes<TypeParam>;
  const TypeParam e = std::numeric_limits<TypeParam>::epsilon();
  const Vec<TypeParam> x = TestFixture::counting(1) * Vec<TypeParam>(1 + e);
  const Vec<TypeParam> y = fma(x, x, -(x * x));
  for (int i = 0; i < n; ++i) EXPECT_EQ(y[i], std::fma(x[i], x[i], -(x * x)[i]));
  EXPECT_NE(y[2], 0);
}

TYPED_TEST(Simd, SumIsTheTreeOfHalves) {
  std::vector<TypeParam> x(kLanes<TypeParam>);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<TypeParam>(Stream(1).uniform(i));
  const Vec<TypeParam> v = load(x.data());
  for (std::size_t half = x.size() / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) x[i] += x[i + half];
  }
  EXPECT_EQ(sum(v), x[0]);
}

TYPED_TEST(Simd, LargestIsTheGreatestLane) {
  for (int i = 0; i < kLanes<TypeParam>; ++i) {
    const auto top = select(Mask<TypeParam>{lane_numbers<TypeParam>() == i},
                            Vec<TypeParam>(TypeParam(100)), TestFixture::counting(-50));
    EXPECT_EQ(largest(top), 100);
  }
}

TYPED_TEST(Simd, PermutedLanesComeFromTheirPlaces) {
  constexpr int n = kLanes<TypeParam>;
  typename Vec<TypeParam>::Ints places{};
  for (int i = 0; i < n; ++i) places[i] = (5 * i + 3) % n / 2;
  const Vec<TypeParam> x = permute(this->counting(-2), places);
  for (int i = 0; i < n; ++i) EXPECT_EQ(x[i], (5 * i + 3) % n / 2 - 2);
}

TYPED_TEST(Simd, TransposeSwapsRowsAndLanes) {
  constexpr int n = kLanes<TypeParam>;
  Vec<TypeParam> rows[n];
  for (int i = 0; i < n; ++i) rows[i] = TestFixture::counting(TypeParam(100 * i));
  transpose(rows);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) EXPECT_EQ(rows[i][j], TypeParam(100 * j + i));
  }
}

TYPED_TEST(Simd, MaxAndMinReturnTheirSecondOperandForNaN) {
  const TypeParam nan = std::numeric_limits<TypeParam>::quiet_NaN();
  const Vec<TypeParam> x(nan), one(TypeParam(1));
  EXPECT_EQ(max(x, one)[0], 1);
  EXPECT_EQ(min(x, one)[0], 1);
  EXPECT_TRUE(std::isnan(max(one, x)[0]));
  EXPECT_TRUE(std::isnan(min(one, x)[0]));
  EXPECT_FALSE((x == x).bits[0]);
}

TYPED_TEST(Simd, SumsAreTheSumOfEachRow) {
  constexpr auto n = static_cast<std::size_t>(kLanes<TypeParam>);
  Vec<TypeParam> rows[n];
  TypeParam expected[n];
  for (std::size_t r = 0; r < n; ++r) {
    TypeParam x[n];
    for (std::size_t i = 0; i < n; ++i)
      x[i] = static_cast<TypeParam>(Stream(3).uniform(r * n + i) - 0.5);
    rows[r] = load(x);
    expected[r] = sum(rows[r]);
  }
  const Vec<TypeParam> all = sums(rows);
  for (std::size_t r = 0; r < n; ++r) EXPECT_EQ(all[static_cast<int>(r)], expected[r]);
}

// The numbers before those that are read end an allocation, for asan to see.
template <class T>
void expect_packed() {
  constexpr Index kAll = kVectorBytes / static_cast<Index>(sizeof(T));
  for (Index n = 0; n <= kAll; ++n) {
    std::vector<T> from;
    for (Index i = 0; i < n; ++i) from.push_back(T(100 + i));
    for (unsigned draw = 0; draw < 40; ++draw) {
      const unsigned bits = (draw == 0 ? ~0U : draw * 2654435761U >> 7) & ((1U << n) - 1);
      std::vector<T> to(static_cast<std::size_t>(kAll), T(-1)), expected;
      pack_lanes(from.data(), n, bits, to.data());
      for (Index i = 0; i < n; ++i)
        if (bits >> i & 1) expected.push_back(T(100 + i));
      to.resize(expected.size());
      EXPECT_EQ(to, expected);
    }
  }
}
TEST(PackLanes, LeavesTheChosenOnesBehindOneAnother) {
  expect_packed<float>();
  expect_packed<double>();
  expect_packed<std::int32_t>();
}

TEST(PhiloxLanes, AreThePhiloxOfEachCounter) {
  for (const std::uint64_t key :
       {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{0x299f31d0a4093822}}) {
    constexpr int kVectors = 4;
    const auto counter = [](int vector, int lane) {
      PhiloxCounter c;
      for (std::uint32_t word = 0; word < 4; ++word) {
        c[word] = philox(
            {static_cast<std::uint32_t>(lane), word, static_cast<std::uint32_t>(vector), 0}, 7)[0];
      }
      return c;
    };
    PhiloxCounters counters[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      for (int lane = 0; lane < kPhiloxLanes; ++lane) {
        const PhiloxCounter c = counter(v, lane);
        counters[v].c0[lane] = c[0];
        counters[v].c1[lane] = c[1];
        counters[v].c2[lane] = c[2];
        counters[v].c3[lane] = c[3];
      }
    }
    PhiloxWords words[kVectors];
    philox_lanes(PhiloxKeys(key), counters, words);
    for (int v = 0; v < kVectors; ++v) {
      for (int lane = 0; lane < kPhiloxLanes; ++lane) {
        const PhiloxCounter expected = philox(counter(v, lane), key);
        EXPECT_EQ(words[v].w01[lane], expected[0] | std::uint64_t{expected[1]} << 32);
        EXPECT_EQ(words[v].w23[lane], expected[2] | std::uint64_t{expected[3]} << 32);
      }
    }
  }
}

// The definition in the header, a column at a time; it knows of no vector, so AVX2 and AVX-512
// agree through it.
TYPED_TEST(Simd, DropoutDrawsFollowTheirDefinition) {
  constexpr int n = kLanes<TypeParam>;
  const std::uint64_t key = 0x0123456789abcdef;
  const std::uint32_t head = 5, row = 1000003, example = 77, step = 123456;
  for (const Index group : {0, 1, 13}) {
    const DropoutDraws draws(PhiloxKeys(key), {head, row, example, step, group});
    for (const std::uint32_t threshold : {0U, 1U, 6554U, 32768U, 65535U}) {
      for (int v = 0; v < 64 / n; ++v) {
        const Mask<TypeParam> kept = draws.template kept<TypeParam>(v, threshold);
        for (int lane = 0; lane < n; ++lane) {
          const auto column = static_cast<std::uint32_t>(64 * group + v * n + lane);
          const std::uint32_t b = column / 16 % 4, l = column % 16;
          const auto w = philox({head << 20 | (column / 64 * 8 + l / 2), row, example, step}, key);
          const std::uint32_t word = w[2 * (b / 2) + l % 2],
                              draw = b % 2 == 0 ? word & 0xFFFF : word >> 16;
          ASSERT_EQ(kept.bits[lane] != 0, draw >= threshold)
              << "column " << column << ", threshold " << threshold;
        }
      }
    }
  }
}

}  // namespace
}  // namespace attune::kernels
