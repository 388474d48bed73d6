#include "autograd/tape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "autograd/ops.h"

namespace attune {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class TapeTest : public testing::Test {
 protected:
  Var leaf(std::vector<double>& x, std::vector<double>& g, const Shape& shape) {
    g.assign(x.size(), 0.0);
    return tape.parameter({x.data(), shape}, {g.data(), shape});
  }
  View<const std::int32_t> ids(const std::vector<std::int32_t>& v) {
    return {v.data(), {static_cast<Index>(v.size())}};
  }
  Arena arena;
  Tape<double> tape{arena};
  std::vector<double> a{3.0}, ga;
};

// micrograd's lesson (its issue 64): a node used twice gets both gradients before it passes them
// on. c = 4a, so dc/da = 4.
TEST_F(TapeTest, ANodeThatIsUsedTwiceGetsBothGradients) {
  const Var x = leaf(a, ga, {1, 1});
  const Var b = add(tape, x, x), c = add(tape, b, b);
  EXPECT_EQ(tape.value(c)[0], 12.0);
  const double one = 1;
  const Tape<double>::Seed seed{c, {&one, {1, 1}}};
  tape.backward(std::span(&seed, 1));
  EXPECT_EQ(ga[0], 4.0);
}

// Two layers and a node that is used twice, with the memory of what is done with and without.
TEST_F(TapeTest, RecyclingChangesNoGradientAndLeavesWhatIsKept) {
  std::vector<double> x(12), w(16), v(16), gx, gw, gv;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.3 * static_cast<double>(i) - 1.5;
  for (std::size_t i = 0; i < w.size(); ++i)
    w[i] = v[15 - i] = 0.2 * static_cast<double>(i % 7) - 0.4;
  const std::vector<std::int32_t> targets{1, 0, 3};
  std::vector<std::vector<double>> found;
  for (const bool recycles : {false, true}) {
    Arena memory;
    Tape<double> t{memory};
    if (recycles) t.recycle();
    for (int step = 0; step < 3; ++step) {
      t.reset();
      gx.assign(12, 0), gw.assign(16, 0), gv.assign(16, 0);
      const Var in = t.parameter({x.data(), {3, 4}}, {gx.data(), {3, 4}}),
                first = t.parameter({w.data(), {4, 4}}, {gw.data(), {4, 4}}),
                second = t.parameter({v.data(), {4, 4}}, {gv.data(), {4, 4}});
      const Var a1 = gelu(t, linear(t, in, first)), a2 = add(t, gelu(t, linear(t, a1, second)), a1);
      const Var logits = linear(t, a2, first), loss = cross_entropy(t, logits, ids(targets));
      t.keep(logits);
      const std::vector<double> kept(t.value(logits).begin(), t.value(logits).end());
      t.backward(loss);
      EXPECT_EQ(kept, std::vector<double>(t.value(logits).begin(), t.value(logits).end()));
    }
    for (const auto& g : {gx, gw, gv}) found.push_back(g);
    found.push_back({static_cast<double>(memory.high_water())});
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(found[i], found[i + 4]);
  EXPECT_LT(found[7], found[3]);
}

TEST_F(TapeTest, GradientsAddToWhatIsThere) {
  const Var x = leaf(a, ga, {1, 1});
  ga[0] = 10;
  const Var y = add(tape, x, x);
  const double one = 1;
  const Tape<double>::Seed seed{y, {&one, {1, 1}}};
  tape.backward(std::span(&seed, 1));
  EXPECT_EQ(ga[0], 12.0);
}

TEST_F(TapeTest, BackwardTwiceIsAnErrorThatNamesTheNodes) {
  std::vector<double> z{1, 2}, gz;
  const std::vector<std::int32_t> target{0};
  const Var loss = cross_entropy(tape, leaf(z, gz, {1, 2}), ids(target));
  tape.backward(loss);
  EXPECT_THAT([&] { tape.backward(loss); },
              ThrowsMessage<ShapeError>(
                  HasSubstr("called on node 1 (cross_entropy) after node 1 (cross_entropy)")));
}

TEST_F(TapeTest, TwoLossesAreAnErrorThatNamesBoth) {
  std::vector<double> z{1, 2}, gz;
  const std::vector<std::int32_t> t0{0}, t1{1};
  const Var logits = leaf(z, gz, {1, 2});
  const Var first = cross_entropy(tape, logits, ids(t0));
  cross_entropy(tape, logits, ids(t1));
  EXPECT_THAT([&] { tape.backward(first); },
              ThrowsMessage<ShapeError>(HasSubstr(
                  "called on node 1 (cross_entropy), but node 2 (cross_entropy) is a loss too")));
}

TEST_F(TapeTest, ShapesAreCheckedBeforeAnythingIsComputed) {
  std::vector<double> x(6, 1.0), gx, w(8, 1.0), gw;
  const Var vx = leaf(x, gx, {2, 3}), vw = leaf(w, gw, {2, 4});
  EXPECT_THAT([&] { linear(tape, vx, vw); },
              ThrowsMessage<ShapeError>(
                  HasSubstr("[linear] x [2, 3] has 3 columns, weight [2, 4] takes 4")));
  EXPECT_EQ(tape.n_records(), 0U);
}

TEST_F(TapeTest, AMissingOperandIsNamed) {
  const Var x = leaf(a, ga, {1, 1});
  EXPECT_THAT(
      [&] { tape.apply(linear_op, {x}); },
      ThrowsMessage<ShapeError>(HasSubstr("[linear] input 'weight' [d_out, d_in] is missing")));
  EXPECT_THAT(
      [&] { tape.apply(mean_pool_op, {x}); },
      ThrowsMessage<ShapeError>(HasSubstr("[mean_pool] index array 'offsets' [B+1] is missing")));
}

// An op of which nothing was used has no gradient to pass on.
TEST_F(TapeTest, WhatTheSeedDoesNotDependOnGetsNoGradient) {
  const Var x = leaf(a, ga, {1, 1});
  const Var unused = add(tape, x, x), y = add(tape, x, x);
  const double one = 1;
  const Tape<double>::Seed seed{y, {&one, {1, 1}}};
  tape.backward(std::span(&seed, 1));
  EXPECT_FALSE(tape.grad(unused));
  EXPECT_EQ(tape.grad(y)[0], 1.0);
  EXPECT_EQ(ga[0], 2.0);
}

TEST_F(TapeTest, NothingIsAppliedAfterBackward) {
  std::vector<double> z{1, 2}, gz;
  const std::vector<std::int32_t> target{0};
  const Var logits = leaf(z, gz, {1, 2});
  tape.backward(cross_entropy(tape, logits, ids(target)));
  EXPECT_THAT([&] { add(tape, logits, logits); },
              ThrowsMessage<ShapeError>(HasSubstr("[add] applied after backward")));
  tape.reset();
  EXPECT_NO_THROW(add(tape, leaf(a, ga, {1, 1}), leaf(a, ga, {1, 1})));
}

TEST_F(TapeTest, ALossMustBeOneNumberThatDependsOnAParameter) {
  const Var x = leaf(a, ga, {1, 1});
  std::vector<double> wide(3, 1.0), gw;
  const Var w = leaf(wide, gw, {1, 3});
  EXPECT_THAT([&] { tape.backward(add(tape, w, w)); },
              ThrowsMessage<ShapeError>(HasSubstr("has shape [1, 3]; a loss is one number")));
  const Var constant = tape.constant({wide.data(), {1, 3}});
  const std::vector<std::int32_t> target{2};
  const Var loss = cross_entropy(tape, constant, ids(target));
  EXPECT_THAT([&] { tape.backward(loss); },
              ThrowsMessage<ShapeError>(HasSubstr("depends on no parameter")));
  (void)x;
}

TEST_F(TapeTest, EvaluationRecordsNothingAndGivesTheSameValues) {
  std::vector<double> x{1, -2, 3, 4}, gx;
  const Var v = leaf(x, gx, {2, 2});
  const Var y = gelu(tape, v);
  Arena other;
  Tape<double> evaluation(other, false);
  const Var u = evaluation.parameter({x.data(), {2, 2}}, {gx.data(), {2, 2}});
  const Var z = gelu(evaluation, u);
  EXPECT_EQ(evaluation.n_records(), 0U);
  for (Index i = 0; i < 4; ++i) EXPECT_EQ(tape.value(y)[i], evaluation.value(z)[i]);
}

// Every op that exists is listed once, so that no tool overlooks one.
TEST(OpList, NamesAreUniqueAndRecordsWhole) {
  std::set<std::string_view> names;
  for (const Op* op : all_ops()) {
    EXPECT_TRUE(names.insert(op->name).second) << op->name;
    EXPECT_FALSE(op->maths.empty()) << op->name;
    EXPECT_FALSE(op->inputs.empty()) << op->name;
    EXPECT_FALSE(op->outputs.empty()) << op->name;
    EXPECT_LE(op->inputs.size(), std::size_t{OpCall<float>::kMaxInputs}) << op->name;
  }
  EXPECT_EQ(names.size(), all_ops().size());  // no two of one name
}

}  // namespace
}  // namespace attune
