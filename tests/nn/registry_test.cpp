#include "nn/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "nn/transformer.h"

namespace attune {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Registry, ANameBelongsToOneParameter) {
  Registry r;
  r.parameter("head.bias", {3}, Initialiser::zeros(), Decay::no);
  EXPECT_THAT([&] { r.parameter("head.bias", {3}, Initialiser::zeros(), Decay::no); },
              ThrowsMessage<ShapeError>(HasSubstr("two parameters are named 'head.bias'")));
  r.stream("a");
  EXPECT_THAT([&] { r.stream("a"); },
              ThrowsMessage<ShapeError>(HasSubstr("two random streams are named 'a'")));
}

// The block lies in order of name, whatever the order of registration.
TEST(Registry, LayoutDoesNotDependOnTheOrderOfRegistration) {
  Registry a, b;
  a.parameter("x", {3}, Initialiser::ones(), Decay::no);
  a.parameter("b.w", {2, 2}, Initialiser::ones(), Decay::yes);
  b.parameter("b.w", {2, 2}, Initialiser::ones(), Decay::yes);
  b.parameter("x", {3}, Initialiser::ones(), Decay::no);
  a.finish();
  b.finish();
  EXPECT_EQ(a[{0}].offset, b[{1}].offset);
  EXPECT_EQ(a[{1}].offset, b[{0}].offset);
  EXPECT_EQ(a.n_parameters(), 7);
}

// Adding a layer changes no other layer's draw: the stream is the name's, not the call's.
TEST(Registry, AnotherParameterChangesNoOthersInitialValues) {
  const auto draw = [](bool with_more) {
    Registry r;
    if (with_more) r.parameter("a.more", {9, 4}, Initialiser::normal(1), Decay::yes);
    const auto w = r.parameter("w", {6, 5}, Initialiser::xavier_uniform(), Decay::yes);
    r.finish();
    ParameterBlock<float> values(r);
    initialise(r, 3, values);
    return std::vector<float>(values[w].begin(), values[w].end());
  };
  EXPECT_EQ(draw(false), draw(true));
}

TEST(Initialise, HasTheMomentsItNames) {
  Registry r;
  const auto u = r.parameter("u", {200, 300}, Initialiser::xavier_uniform(), Decay::yes);
  const auto n = r.parameter("n", {200, 300}, Initialiser::normal(0.02), Decay::yes);
  r.finish();
  ParameterBlock<double> values(r);
  initialise(r, 5, values);
  const double a = std::sqrt(6.0 / 500.0);
  double sum = 0, squares = 0, largest = 0, normal_squares = 0;
  for (const double x : values[u]) {
    sum += x;
    squares += x * x;
    largest = std::max(largest, std::abs(x));
  }
  for (const double x : values[n]) normal_squares += x * x;
  const double count = 60000;
  EXPECT_LE(largest, a);
  EXPECT_NEAR(sum / count, 0, 4 * a / std::sqrt(3 * count));
  EXPECT_NEAR(squares / count, a * a / 3, 4 * a * a * std::sqrt(4.0 / 45 / count));
  EXPECT_NEAR(normal_squares / count, 4e-4, 4 * 4e-4 * std::sqrt(2 / count));
}

RowSpec patches_of(Index side, Index n_classes) {
  return {RowSpec::Kind::patches, side * side, 0, n_classes, false, 9};
}

// Names and shapes of interface.md; a parameter that nobody registered would be missing here.
TEST(Vit, ParametersHaveTheirPublishedNames) {
  Registry r;
  VitOptions o;
  o.patch = 4;
  o.d_model = 8;
  o.n_layers = 1;
  o.n_heads = 2;
  o.mlp_ratio = 2;
  o.position_size = 5;
  o.make(r, patches_of(4, 3));
  r.finish();
  std::vector<std::string> names;
  for (const ParameterId id : r.by_name()) names.push_back(r[id].name + " " + r[id].shape.text());
  const std::vector<std::string> expected = {"encoder.block0.attention.bk [8]",
                                             "encoder.block0.attention.bo [8]",
                                             "encoder.block0.attention.bq [8]",
                                             "encoder.block0.attention.bv [8]",
                                             "encoder.block0.attention.wk [8, 8]",
                                             "encoder.block0.attention.wo [8, 8]",
                                             "encoder.block0.attention.wq [8, 8]",
                                             "encoder.block0.attention.wv [8, 8]",
                                             "encoder.block0.mlp.b1 [16]",
                                             "encoder.block0.mlp.b2 [8]",
                                             "encoder.block0.mlp.w1 [16, 8]",
                                             "encoder.block0.mlp.w2 [8, 16]",
                                             "encoder.block0.norm1.bias [8]",
                                             "encoder.block0.norm1.gain [8]",
                                             "encoder.block0.norm2.bias [8]",
                                             "encoder.block0.norm2.gain [8]",
                                             "encoder.norm.bias [8]",
                                             "encoder.norm.gain [8]",
                                             "head.bias [3]",
                                             "head.weight [3, 8]",
                                             "patch.bias [8]",
                                             "patch.weight [8, 16]",
                                             "position.columns [5, 8]",
                                             "position.rows [5, 8]"};
  EXPECT_EQ(names, expected);
}

TEST(Vit, OnlyMatricesDecay) {
  Registry r;
  VitOptions o;
  o.pool = Pool::cls;
  o.make(r, patches_of(16, 2));
  for (const auto& p : r.parameters()) {
    const bool matrix = p.name.find(".w") != std::string::npos;
    EXPECT_EQ(p.decay == Decay::yes, matrix) << p.name;
  }
}

TEST(EncoderOptions, HeadsThatDoNotDivideTheWidthAreAComplaintWithNeighbours) {
  EncoderOptions o;
  o.n_heads = 6;
  FieldList f;
  o.fields(f);
  ASSERT_EQ(f.rules().size(), 1U);
  const auto complaint = f.rules()[0]();
  ASSERT_TRUE(complaint);
  EXPECT_EQ(complaint->message, "n_heads=6 does not divide d_model=64");
  EXPECT_EQ(complaint->hint, "valid values near 6: 4, 8");
  o.n_heads = 8;
  EXPECT_FALSE(f.rules()[0]());
}

}  // namespace
}  // namespace attune
