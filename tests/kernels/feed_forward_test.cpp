#include "kernels/feed_forward.h"

#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "kernels/linear.h"
#include "kernels/pointwise.h"
#include "tests/reference/kernel_checks.h"
#include "tests/reference/random_views.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::same_bits;

const std::tuple<Index, Index, Index, Index> kSizes[] = {
    {0, 3, 4, 2},      {1, 1, 1, 1},       {5, 16, 33, 8}, {97, 64, 65, 70}, {300, 17, 5, 9},
    {600, 64, 96, 64}, {33, 128, 600, 48}, {3, 4, 0, 5},   {3, 4, 6, 0},     {3, 0, 4, 2}};

template <class Real>
struct Sublayer {
  using A = Array<Real>;
  Index n, d_in, d_hidden, d_out;
  A x, w1, b1, w2, b2, dy;
  A hidden, slope, y, dx, dw1, db1, dw2, db2;

  Sublayer(Index n_, Index d_in_, Index d_hidden_, Index d_out_)
      : n(n_),
        d_in(d_in_),
        d_hidden(d_hidden_),
        d_out(d_out_),
        x(A::random({n, d_in}, 1)),
        w1(A::random({d_hidden, d_in}, 2)),
        b1(A::random({d_hidden}, 3)),
        w2(A::random({d_out, d_hidden}, 4)),
        b2(A::random({d_out}, 5)),
        dy(A::random({n, d_out}, 6)),
        hidden({n, d_hidden}),
        slope({n, d_hidden}),
        y({n, d_out}),
        dx(A::random({n, d_in}, 7)),
        dw1(A::random({d_hidden, d_in}, 8)),
        db1(A::random({d_hidden}, 9)),
        dw2(A::random({d_out, d_hidden}, 10)),
        db2(A::random({d_out}, 11)) {}

  FeedForward<const Real> weights(bool biases) const {
    if (!biases) return {w1.view(), {}, w2.view(), {}};
    return {w1.view(), b1.view(), w2.view(), b2.view()};
  }
  void fused(GeluForm form, bool biases, bool fresh) {
    feed_forward<Real>(form, x.view(), weights(biases), hidden.view(), slope.view(), y.view());
    feed_forward_backward<Real>(dy.view(), x.view(), weights(biases), hidden.view(), slope.view(),
                                dx.view(), fresh,
                                {dw1.view(), biases ? db1.view() : View<Real>(), dw2.view(),
                                 biases ? db2.view() : View<Real>()});
  }
  // The same of one kernel after the other.
  void plain(GeluForm form, bool biases, bool fresh) {
    const View<const Real> none;
    A before({n, d_hidden}), behind({n, d_hidden}), dbefore({n, d_hidden});
    linear<Real>(x.view(), w1.view(), biases ? View<const Real>(b1.view()) : none, before.view());
    gelu<Real>(form, before.view(), hidden.view(), slope.view());
    linear<Real>(hidden.view(), w2.view(), biases ? View<const Real>(b2.view()) : none, y.view());
    linear_backward_input<Real>(dy.view(), w2.view(), behind.view(), true);
    linear_backward_weight<Real>(dy.view(), hidden.view(), dw2.view(),
                                 biases ? db2.view() : View<Real>());
    chain<Real>(slope.view(), behind.view(), dbefore.view(), true);
    linear_backward_input<Real>(dbefore.view(), w1.view(), dx.view(), fresh);
    linear_backward_weight<Real>(dbefore.view(), x.view(), dw1.view(),
                                 biases ? db1.view() : View<Real>());
  }
  std::vector<A> results() const { return {hidden, y, dx, dw1, db1, dw2, db2}; }
};

template <class Real>
class FeedForwardOf : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(FeedForwardOf, Reals);

TYPED_TEST(FeedForwardOf, HasTheBitsOfItsParts) {
  using Real = TypeParam;
  for (const auto& [n, d_in, d_hidden, d_out] : kSizes)
    for (const GeluForm form : {GeluForm::erf, GeluForm::tanh})
      for (const bool biases : {true, false})
        for (const bool fresh : {true, false}) {
          Sublayer<Real> fused(n, d_in, d_hidden, d_out), plain = fused;
          if (fresh)
            std::fill(fused.dx.view().begin(), fused.dx.view().end(),
                      std::numeric_limits<Real>::quiet_NaN());
          fused.fused(form, biases, fresh);
          plain.plain(form, biases, fresh);
          const auto got = fused.results(), want = plain.results();
          for (std::size_t i = 0; i < want.size(); ++i)
            EXPECT_TRUE(same_bits(got[i], want[i])) << "result " << i << " of " << n << " x "
                                                    << d_in << " x " << d_hidden << " x " << d_out;
        }
}

TYPED_TEST(FeedForwardOf, WithoutABackwardIsTheSame) {
  using Real = TypeParam;
  for (const auto& [n, d_in, d_hidden, d_out] : kSizes) {
    Sublayer<Real> kept(n, d_in, d_hidden, d_out), alone = kept;
    feed_forward<Real>(GeluForm::erf, kept.x.view(), kept.weights(true), kept.hidden.view(),
                       kept.slope.view(), kept.y.view());
    feed_forward<Real>(GeluForm::erf, alone.x.view(), alone.weights(true), {}, {}, alone.y.view());
    EXPECT_TRUE(same_bits(alone.y, kept.y));
  }
}

TYPED_TEST(FeedForwardOf, GradientsThatNobodyWantsAreSkipped) {
  using Real = TypeParam;
  Sublayer<Real> all(40, 8, 12, 6), some = all;
  all.fused(GeluForm::erf, true, false);
  const Sublayer<Real> before = some;
  feed_forward<Real>(GeluForm::erf, some.x.view(), some.weights(true), some.hidden.view(),
                     some.slope.view(), some.y.view());
  feed_forward_backward<Real>(some.dy.view(), some.x.view(), some.weights(true), some.hidden.view(),
                              some.slope.view(), {}, false,
                              {{}, some.db1.view(), {}, some.db2.view()});
  EXPECT_TRUE(same_bits(some.dx, before.dx) && same_bits(some.dw1, before.dw1) &&
              same_bits(some.dw2, before.dw2));
  // By chunks of 128 rows here, and while products pass there: one chunk, the same sums.
  EXPECT_LE(testing::error(some.db1, testing::widened(all.db1)), testing::tolerance<Real>());
  EXPECT_LE(testing::error(some.db2, testing::widened(all.db2)), testing::tolerance<Real>());
}

TYPED_TEST(FeedForwardOf, BitsDoNotDependOnTheNumberOfThreads) {
  using Real = TypeParam;
  testing::expect_same_on_threads<Real>({"feed_forward", "feed_forward_backward"}, [] {
    Sublayer<Real> layer(1001, 65, 130, 67);
    layer.fused(GeluForm::erf, true, false);
    return layer.results();
  });
}

TEST(FeedForward, OperandsThatDoNotFitAreNamed) {
  Sublayer<float> s(4, 3, 5, 2);
  Array<float> wrong({4, 4});
  const auto run = [&](View<const float> x, FeedForward<const float> w, View<float> y) {
    feed_forward<float>(GeluForm::erf, x, w, s.hidden.view(), s.slope.view(), y);
  };
  EXPECT_THROW(run(wrong.view(), s.weights(true), s.y.view()), ShapeError);
  EXPECT_THROW(run(s.x.view(), s.weights(true), wrong.view()), ShapeError);
  auto w = s.weights(true);
  w.w2 = wrong.view();
  EXPECT_THROW(run(s.x.view(), w, s.y.view()), ShapeError);
  w = s.weights(true);
  w.b1 = s.b2.view();
  EXPECT_THROW(run(s.x.view(), w, s.y.view()), ShapeError);
}

}  // namespace
}  // namespace attune::kernels
