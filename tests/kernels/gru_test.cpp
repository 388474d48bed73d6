// Gated recurrent units over packed sequences against a loop over rows and numbers.
#include "kernels/gru.h"

#include <gmock/gmock.h>

#include "tests/reference/gru_reference.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::error;
using testing::Ids;
using testing::ids;
using testing::rows_of;
using testing::same_bits;
using testing::widened;

template <class Real>
struct Case {
  Ids offsets;
  bool reverse;
  Array<Real> x, w_ih, w_hh, b_ih, b_hh, h0, dy, dh_n;
  Array<Real> y, h_n, gates, dx, dw_ih, dw_hh, db_ih, db_hh, dh0;
  bool with_first = true;

  Case(const std::vector<std::int32_t>& bounds, Index d_in, Index h, bool backwards = false)
      : offsets(ids(bounds)),
        reverse(backwards),
        x(Array<Real>::random({bounds.back(), d_in}, 1)),
        w_ih(Array<Real>::random({3 * h, d_in}, 2)),
        w_hh(Array<Real>::random({3 * h, h}, 3)),
        b_ih(Array<Real>::random({3 * h}, 4)),
        b_hh(Array<Real>::random({3 * h}, 5)),
        h0(Array<Real>::random({offsets.size() - 1, h}, 6)),
        dy(Array<Real>::random({bounds.back(), h}, 7)),
        dh_n(Array<Real>::random({offsets.size() - 1, h}, 8)),
        y({bounds.back(), h}),
        h_n(h0.shape()),
        gates({bounds.back(), 4 * h}),
        dx(x.shape()),
        dw_ih(w_ih.shape()),
        dw_hh(w_hh.shape()),
        db_ih(b_ih.shape()),
        db_hh(b_hh.shape()),
        dh0(h0.shape()) {}
  View<const Real> first() const { return with_first ? h0.view() : View<const Real>(); }
  GruWeights<const Real> weights() const {
    return {w_ih.view(), w_hh.view(), b_ih.view(), b_hh.view()};
  }
  void forward() {
    gru<Real>(x.view(), offsets.view(), first(), weights(), reverse, y.view(), h_n.view(),
              gates.view());
  }
  void backward() {
    gru_backward<Real>(dy.view(), dh_n.view(), x.view(), offsets.view(), first(), weights(),
                       reverse, y.view(), gates.view(), dx.view(),
                       with_first ? dh0.view() : View<Real>(),
                       {dw_ih.view(), dw_hh.view(), db_ih.view(), db_hh.view()});
  }
  std::vector<Array<Real>> run() {
    forward();
    backward();
    return {y, h_n, dx, dw_ih, dw_hh, db_ih, db_hh, dh0};
  }
};

struct Outputs {
  Array<double> y, h_n;
};
Outputs reference(const Case<double>& c) {
  const auto matrix = [](const Array<double>& a) {
    return [&a](Index i, Index j) { return a[i * a.shape()[1] + j]; };
  };
  const std::function<double(Index, Index)> w_ih = matrix(c.w_ih), w_hh = matrix(c.w_hh);
  const std::function<double(Index)> b_ih = [&](Index i) { return c.b_ih[i]; },
                                     b_hh = [&](Index i) { return c.b_hh[i]; };
  const testing::GruReference<decltype(w_ih), decltype(b_ih)> unit{w_ih, w_hh, b_ih, b_hh};
  const Index h = c.y.shape()[1], d = c.x.shape()[1];
  Outputs out{Array<double>(c.y.shape()), Array<double>(c.h_n.shape())};
  for (Index e = 0; e + 1 < c.offsets.size(); ++e) {
    std::vector<double> state(static_cast<std::size_t>(h));
    for (Index j = 0; c.with_first && j < h; ++j)
      state[static_cast<std::size_t>(j)] = c.h0[e * h + j];
    const Index begin = c.offsets[e], end = c.offsets[e + 1];
    for (Index step = 0; step < end - begin; ++step) {
      const Index row = c.reverse ? end - 1 - step : begin + step;
      state = unit.next({c.x.view().row(row), c.x.view().row(row) + d}, state);
      std::copy(state.begin(), state.end(), out.y.view().data() + row * h);
    }
    std::copy(state.begin(), state.end(), out.h_n.view().data() + e * h);
  }
  return out;
}

// One row, equal lengths, rising ones, a long one between empty ones, none at all.
const std::vector<std::vector<std::int32_t>> kPacks = {
    {0, 1}, {0, 3, 6, 9}, {0, 1, 3, 8}, {0, 0, 19, 19, 24, 26}, {0, 0}, {0}};

template <class F>
void for_each_case(F&& f) {
  for (const auto& pack : kPacks)
    for (const bool reverse : {false, true})
      for (const bool with_first : {true, false})
        for (const auto& [d_in, h] : {std::pair<Index, Index>{5, 3}, {1, 17}, {4, 1}}) {
          Case<double> c(pack, d_in, h, reverse);
          c.with_first = with_first;
          f(c);
        }
}

TEST(Gru, IsItsFormulaRowByRow) {
  for_each_case([](Case<double>& c) {
    c.forward();
    const Outputs wanted = reference(c);
    EXPECT_LE(error(c.y, wanted.y), 1e-13);
    EXPECT_LE(error(c.h_n, wanted.h_n), 1e-13);
  });
}

TEST(Gru, GradientsAreThoseOfTheFormula) {
  for (const bool reverse : {false, true}) {
    Case<double> c({0, 0, 6, 7, 11}, 4, 3, reverse);
    c.run();
    const auto loss = [&] {
      const Outputs out = reference(c);
      return testing::dot(out.y, c.dy) + testing::dot(out.h_n, c.dh_n);
    };
    testing::expect_gradient("x", c.x, c.dx, loss);
    testing::expect_gradient("w_ih", c.w_ih, c.dw_ih, loss);
    testing::expect_gradient("w_hh", c.w_hh, c.dw_hh, loss);
    testing::expect_gradient("b_ih", c.b_ih, c.db_ih, loss);
    testing::expect_gradient("b_hh", c.b_hh, c.db_hh, loss);
    testing::expect_gradient("h0", c.h0, c.dh0, loss);
  }
}

TEST(Gru, GradientsAddToWhatStandsThere) {
  Case<double> c({0, 4, 5}, 3, 2), again = c;
  c.run();
  again.run();
  again.backward();
  const std::vector<std::pair<const Array<double>*, const Array<double>*>> pairs{
      {&again.dx, &c.dx},       {&again.dw_ih, &c.dw_ih}, {&again.dw_hh, &c.dw_hh},
      {&again.db_ih, &c.db_ih}, {&again.db_hh, &c.db_hh}, {&again.dh0, &c.dh0}};
  for (const auto& [twice, once] : pairs) {
    Array<double> wanted = *once;
    for (Index i = 0; i < wanted.size(); ++i) wanted[i] *= 2;
    EXPECT_LE(error(*twice, wanted), 1e-14);
  }
}

// What is not asked for changes nothing of what is.
TEST(Gru, GradientsMayBeAbsent) {
  Case<double> c({0, 4, 5}, 3, 2);
  c.run();
  Array<double> dx(c.x.shape()), dw_hh(c.w_hh.shape());
  gru_backward<double>(c.dy.view(), c.dh_n.view(), c.x.view(), c.offsets.view(), c.h0.view(),
                       c.weights(), false, c.y.view(), c.gates.view(), dx.view(), {}, {});
  gru_backward<double>(c.dy.view(), c.dh_n.view(), c.x.view(), c.offsets.view(), c.h0.view(),
                       c.weights(), false, c.y.view(), c.gates.view(), {}, {},
                       {{}, dw_hh.view(), {}, {}});
  EXPECT_TRUE(same_bits(dx, c.dx));
  EXPECT_TRUE(same_bits(dw_hh, c.dw_hh));
  // Of dh_n alone, and of dy alone: they add up.
  Array<double> of_y(c.x.shape()), of_h(c.x.shape());
  gru_backward<double>(c.dy.view(), {}, c.x.view(), c.offsets.view(), c.h0.view(), c.weights(),
                       false, c.y.view(), c.gates.view(), of_y.view(), {}, {});
  gru_backward<double>({}, c.dh_n.view(), c.x.view(), c.offsets.view(), c.h0.view(), c.weights(),
                       false, c.y.view(), c.gates.view(), of_h.view(), {}, {});
  for (Index i = 0; i < of_y.size(); ++i) of_y[i] += of_h[i];
  EXPECT_LE(error(of_y, c.dx), 1e-14);
}

TEST(Gru, ReadsReversedRowsAsItReadsTheRowsOfAReversedPack) {
  Case<float> c({0, 5, 7}, 3, 9, true), turned({0, 5, 7}, 3, 9);
  const std::vector<Index> mirror{4, 3, 2, 1, 0, 6, 5};
  for (Index row = 0; row < 7; ++row)
    std::copy_n(c.x.view().row(mirror[static_cast<std::size_t>(row)]), 3, turned.x.view().row(row));
  c.forward();
  turned.forward();
  for (Index row = 0; row < 7; ++row)
    EXPECT_TRUE(same_bits(rows_of(turned.y, row, row + 1),
                          rows_of(c.y, mirror[static_cast<std::size_t>(row)],
                                  mirror[static_cast<std::size_t>(row)] + 1)));
  EXPECT_TRUE(same_bits(turned.h_n, c.h_n));
}

// Sequences of one row with h0 are a cell: called row after row they are the whole.
TEST(Gru, IsACellOnSequencesOfOneRow) {
  Case<float> whole({0, 4}, 3, 5), cell({0, 1}, 3, 5);
  whole.forward();
  for (Index row = 0; row < 4; ++row) {
    cell.x = rows_of(whole.x, row, row + 1);
    cell.forward();
    EXPECT_TRUE(same_bits(cell.y, rows_of(whole.y, row, row + 1)));
    cell.h0 = cell.y;
  }
}

TEST(Gru, BitsOfASequenceDoNotDependOnItsPack) {
  for (const bool reverse : {false, true}) {
    Case<float> pack({0, 0, 30, 43, 140, 141}, 7, 33, reverse), alone({0, 13}, 7, 33, reverse);
    alone.x = rows_of(pack.x, 30, 43), alone.dy = rows_of(pack.dy, 30, 43);
    alone.h0 = rows_of(pack.h0, 2, 3), alone.dh_n = rows_of(pack.dh_n, 2, 3);
    pack.run();
    alone.run();
    EXPECT_TRUE(same_bits(alone.y, rows_of(pack.y, 30, 43)));
    EXPECT_TRUE(same_bits(alone.h_n, rows_of(pack.h_n, 2, 3)));
    EXPECT_TRUE(same_bits(alone.dx, rows_of(pack.dx, 30, 43)));
    EXPECT_TRUE(same_bits(alone.dh0, rows_of(pack.dh0, 2, 3)));
  }
}

TEST(Gru, BitsDoNotDependOnThreads) {
  testing::expect_same_on_threads<float>({"gru", "gru_backward", "linear"}, [] {
    std::vector<std::int32_t> bounds{0};
    for (int e = 0; e < 200; ++e) bounds.push_back(bounds.back() + e % 7);
    return Case<float>(bounds, 20, 100).run();
  });
}

TEST(Gru, FloatIsCloseToItsDoubleTwin) {
  Case<float> c({0, 12, 13, 40}, 6, 20);
  Case<double> wide({0, 12, 13, 40}, 6, 20);
  // Weights as large as they begin (1/√h), for which states forget.
  for (Array<float>* w : {&c.w_ih, &c.w_hh})
    for (Index i = 0; i < w->size(); ++i) (*w)[i] *= 0.25F;
  wide.x = widened(c.x), wide.w_ih = widened(c.w_ih), wide.w_hh = widened(c.w_hh);
  wide.b_ih = widened(c.b_ih), wide.b_hh = widened(c.b_hh), wide.h0 = widened(c.h0);
  wide.dy = widened(c.dy), wide.dh_n = widened(c.dh_n);
  const auto single = c.run();
  const auto twin = wide.run();
  for (std::size_t i = 0; i < single.size(); ++i)
    EXPECT_LE(error(single[i], twin[i]), 4e-6) << "result " << i;  // sums of 40 rows
}

// One unit, by hand: with all weights 0 the gates are ½ and n = tanh(b_in + b_hn / 2).
TEST(Gru, OfZeroWeightsIsHalfItsStateAndHalfItsBias) {
  Case<double> c({0, 1}, 1, 1);
  for (Array<double>* a : {&c.w_ih, &c.w_hh, &c.b_ih, &c.b_hh})
    for (Index i = 0; i < a->size(); ++i) (*a)[i] = 0;
  c.b_ih[2] = 0.3, c.b_hh[2] = 0.4, c.h0[0] = -0.7;
  c.forward();
  EXPECT_NEAR(c.y[0], std::tanh(0.5) / 2 - 0.35, 1e-15);
}

// A NaN reaches the rows behind it in its sequence, and no others.
TEST(Gru, PassesNanOnToTheRowsBehind) {
  Case<float> c({0, 5, 8}, 3, 2), clean = c;
  c.x[2 * 3] = std::nanf("");
  c.forward();
  clean.forward();
  EXPECT_TRUE(same_bits(rows_of(c.y, 0, 2), rows_of(clean.y, 0, 2)));
  EXPECT_TRUE(same_bits(rows_of(c.y, 5, 8), rows_of(clean.y, 5, 8)));
  for (Index i = 2 * 2; i < 5 * 2; ++i) EXPECT_TRUE(std::isnan(c.y[i]));
}

// Saturated gates: no overflow, and states stay within the bounds of tanh.
TEST(Gru, OfHugeInputsStaysFinite) {
  Case<float> c({0, 6}, 2, 4);
  for (Index i = 0; i < c.x.size(); ++i) c.x[i] *= 1e30F;
  c.run();
  for (Index i = 0; i < c.y.size(); ++i) EXPECT_LE(std::abs(c.y[i]), 1.0F);
  for (Index i = 0; i < c.dx.size(); ++i) EXPECT_TRUE(std::isfinite(c.dx[i]));
}

TEST(Gru, TellsOperandsThatDoNotFit) {
  const auto message = [](auto change) {
    Case<double> c({0, 4}, 3, 2);
    change(c);
    try {
      c.forward();
    } catch (const ShapeError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(message([](auto& c) {
                c.w_hh = Array<double>({5, 2});
              }),
              HasSubstr("[gru] w_hh is [5, 2], but must be [6, 2]"));
  EXPECT_THAT(message([](auto& c) { c.w_ih = Array<double>({6, 4}); }), HasSubstr("[gru] w_ih"));
  EXPECT_THAT(message([](auto& c) { c.b_hh = Array<double>({2}); }), HasSubstr("[gru] b_hh"));
  EXPECT_THAT(message([](auto& c) { c.h0 = Array<double>({2, 2}); }), HasSubstr("[gru] h0"));
  EXPECT_THAT(message([](auto& c) { c.offsets = ids({0, 3}); }), HasSubstr("[gru] offsets end"));
}

}  // namespace
}  // namespace attune::kernels
