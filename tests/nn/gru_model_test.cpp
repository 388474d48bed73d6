// Recurrent encoders and decoders: what they compute with and without attention, and what a decoder
// may see.
#include "nn/gru_model.h"

#include <gmock/gmock.h>

#include "tests/nn/plain_layers.h"
#include "tests/nn/query_bench.h"
#include "tests/reference/gru_reference.h"

namespace attune {
namespace {

using testing::Asked;
using testing::error;
using ::testing::HasSubstr;
using testing::joined;
using testing::PlainLayers;
using testing::QueryBench;
using testing::Row;
using testing::Rows;
using testing::rows_of;
using Array = testing::Array<double>;

GruModelOptions small(GruBridge bridge, Index n_layers = 1, bool bidirectional = false) {
  GruModelOptions o;
  o.d_embed = 5;
  o.d_hidden = 4;
  o.n_layers = n_layers;
  o.bidirectional = bidirectional;
  o.bridge = bridge;
  return o;
}

std::vector<GruModelOptions> all_kinds() {
  return {small(GruBridge::fixed), small(GruBridge::attention), small(GruBridge::fixed, 2, true),
          small(GruBridge::attention, 2, true)};
}

// One example number by number.
class PlainGru {
 public:
  PlainGru(LayerBench<double>& bench, const GruModelOptions& o)
      : bench_(bench), layers_(bench), o_(o) {}

  Rows logits(const std::vector<std::int32_t>& source, const std::vector<std::int32_t>& asked) {
    const auto embedded = [&](const std::string& name, const auto& tokens) {
      Rows rows;
      for (const std::int32_t token : tokens)
        rows.push_back(layers_.table(name)[static_cast<std::size_t>(token)]);
      return rows;
    };
    Rows memory = embedded("token.weight", source);
    const auto h = static_cast<std::size_t>(o_.d_hidden);
    Rows states;
    for (Index i = 0; i < o_.n_layers; ++i) {
      const std::string number = std::to_string(i);
      Row last(h), back(h);
      Rows forward, reverse(memory.size());
      for (const Row& x : memory) forward.push_back(last = next("gru" + number, x, last));
      for (std::size_t j = memory.size(); o_.bidirectional && j-- > 0;)
        reverse[j] = back = next("gru" + number + ".reverse", memory[j], back);
      for (std::size_t j = 0; j < memory.size(); ++j) memory[j] = joined(forward[j], reverse[j]);
      Row begin = layers_.linear(o_.bidirectional ? joined(last, back) : last,
                                 "bridge" + number + ".weight", "bridge" + number + ".bias");
      for (double& v : begin) v = std::tanh(v);
      states.push_back(begin);
    }
    Rows out;
    for (Row x : embedded("decoder.token.weight", asked)) {
      Row context;
      if (o_.bridge == GruBridge::attention) context = attended(states.back(), memory);
      x = joined(x, context);
      for (std::size_t i = 0; i < states.size(); ++i)
        x = states[i] = next("decoder.gru" + std::to_string(i), x, states[i]);
      out.push_back(layers_.linear(joined(x, context), "head.weight", "head.bias"));
    }
    return out;
  }

 private:
  Row next(const std::string& path, const Row& x, const Row& state) const {
    const auto matrix = [&](const char* name) {
      return [w = bench_.value(path + name)](Index i, Index j) { return w(i, j); };
    };
    const auto vector = [&](const char* name) {
      return [b = bench_.value(path + name)](Index i) { return b[i]; };
    };
    const auto w_ih = matrix(".w_ih"), w_hh = matrix(".w_hh");
    const auto b_ih = vector(".b_ih"), b_hh = vector(".b_hh");
    return testing::GruReference<decltype(w_ih), decltype(b_ih)>{w_ih, w_hh, b_ih, b_hh}.next(
        x, state);
  }
  Row attended(const Row& state, const Rows& memory) const {
    const auto times = [&](const char* name, const Row& x) {
      const View<double> w = bench_.value(std::string("decoder.attention.") + name);
      Row y(static_cast<std::size_t>(w.dim(0)));
      for (Index i = 0; i < w.dim(0); ++i)
        for (Index j = 0; j < w.dim(1); ++j)
          y[static_cast<std::size_t>(i)] += w(i, j) * x[static_cast<std::size_t>(j)];
      return y;
    };
    const Row q = times("wq", state);
    Row weights;
    double total = 0;
    for (const Row& row : memory) {
      Row sum = testing::plus(q, times("wk", row));
      for (double& v : sum) v = std::tanh(v);
      weights.push_back(std::exp(times("w", sum)[0]));
      total += weights.back();
    }
    Row context(static_cast<std::size_t>(o_.bidirectional ? 2 * o_.d_hidden : o_.d_hidden));
    for (std::size_t j = 0; j < memory.size(); ++j)
      for (std::size_t c = 0; c < context.size(); ++c)
        context[c] += weights[j] / total * memory[j][c];
    return context;
  }

  LayerBench<double>& bench_;
  PlainLayers layers_;
  const GruModelOptions& o_;
};

// Examples of many lengths: queries end at different steps, one example has no rows, one no
// queries.
const std::vector<std::int32_t> kRows{0, 5, 6, 6, 13, 15}, kQueries{0, 2, 7, 9, 9, 12};

TEST(GruModel, IsItsFormula) {
  for (const GruModelOptions& o : all_kinds()) {
    QueryBench<double> bench(Asked().with(kRows, kQueries), o);
    bench.move_parameters();
    const Array y = bench.logits();
    PlainGru plain(bench, o);
    for (std::size_t e = 0; e + 1 < kRows.size(); ++e) {
      if (kQueries[e] == kQueries[e + 1]) continue;
      const auto part = [](const std::vector<std::int32_t>& all, Index begin, Index end) {
        return std::vector<std::int32_t>(all.begin() + begin, all.begin() + end);
      };
      const Rows wanted = plain.logits(part(bench.tokens, kRows[e], kRows[e + 1]),
                                       part(bench.query_tokens, kQueries[e], kQueries[e + 1]));
      EXPECT_LE(error(rows_of(y, kQueries[e], kQueries[e + 1]), testing::array_of(wanted)), 1e-13)
          << "example " << e;
    }
  }
}

TEST(GruModel, IsDifferentiated) {
  for (GruModelOptions o : all_kinds()) {
    o.dropout = 0.2;
    Asked asked = Asked().with(kRows, kQueries);
    asked.tokens = false;
    QueryBench<double> bench(asked, o);
    expect_gradients(bench, bench.of_rows(), asked.width);
  }
}

TEST(GruModel, NamesItsParametersByTheirPlace) {
  const auto shape = [](auto& bench, const char* name) { return bench.value(name).shape(); };
  QueryBench<double> fixed(Asked(), small(GruBridge::fixed)),
      both(Asked(), small(GruBridge::attention, 2, true));
  EXPECT_EQ(shape(fixed, "token.weight"), (Shape{7, 5}));
  EXPECT_EQ(shape(fixed, "decoder.token.weight"), (Shape{6, 5}));
  EXPECT_EQ(shape(fixed, "gru0.w_ih"), (Shape{12, 5}));
  EXPECT_EQ(shape(fixed, "decoder.gru0.w_ih"), (Shape{12, 5}));
  EXPECT_EQ(shape(fixed, "bridge0.weight"), (Shape{4, 4}));
  EXPECT_EQ(shape(fixed, "head.weight"), (Shape{6, 4}));
  EXPECT_EQ(fixed.registry.parameters().size(), 14U);
  EXPECT_EQ(shape(both, "gru1.reverse.w_ih"), (Shape{12, 8}));
  EXPECT_EQ(shape(both, "bridge1.weight"), (Shape{4, 8}));
  EXPECT_EQ(shape(both, "decoder.gru0.w_ih"), (Shape{12, 13}));
  EXPECT_EQ(shape(both, "decoder.gru1.w_hh"), (Shape{12, 4}));
  EXPECT_EQ(shape(both, "decoder.attention.wk"), (Shape{4, 8}));
  EXPECT_EQ(shape(both, "decoder.attention.w"), (Shape{1, 4}));
  EXPECT_EQ(shape(both, "head.weight"), (Shape{6, 12}));
}

// What both bridges have in common begins alike, so that a study's rows pair.
TEST(GruModel, BridgesShareTheDrawsOfTheirEncoders) {
  QueryBench<double> fixed(Asked(), small(GruBridge::fixed)),
      attending(Asked(), small(GruBridge::attention));
  for (const char* name : {"token.weight", "gru0.w_ih", "gru0.w_hh", "bridge0.weight"})
    EXPECT_TRUE(std::equal(fixed.value(name).begin(), fixed.value(name).end(),
                           attending.value(name).begin()));
}

TEST(GruModel, ExamplesAreApartAndBitsThoseOfOneThread) {
  for (const GruModelOptions& o : all_kinds()) testing::expect_examples_apart(o, Asked());
}

TEST(GruModel, DecodesWithoutSeeingWhatComesLater) {
  for (const GruModelOptions& o : all_kinds()) testing::expect_no_later_query_seen(o);
}

TEST(GruModel, APackWithoutQueriesHasNoLogits) {
  for (const GruModelOptions& o : all_kinds()) {
    QueryBench<double> bench(Asked().with({0, 3}, {0, 0}), o);
    EXPECT_EQ(bench.logits().shape(), (Shape{0, 6}));
  }
}

TEST(GruModel, SaysWhichDataItCannotRead) {
  RowSpec spec = Asked().spec();
  EXPECT_FALSE(GruModelOptions().misfit(spec));
  spec.queries->decoded = false;
  const auto at_once = GruModelOptions().misfit(spec);
  ASSERT_TRUE(at_once);
  EXPECT_THAT(at_once->message, HasSubstr("are asked all at once"));
  EXPECT_THAT(at_once->hint, HasSubstr("model.kind=encoder_decoder"));
  spec.queries.reset();
  EXPECT_THAT(GruModelOptions().misfit(spec)->message, HasSubstr("this data has none"));
}

}  // namespace
}  // namespace attune
