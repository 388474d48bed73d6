// The kinds of models: what each computes, what it sees, and which data it can't read.
#include "nn/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/attention/parts.h"
#include "nn/perceptron.h"
#include "nn/transformer.h"
#include "tests/nn/layer_bench.h"

namespace attune {
namespace {

using testing::error;
using ::testing::HasSubstr;
using testing::Ids;
using testing::ids;
using testing::rows_of;
using testing::same_bits;
using Array = testing::Array<double>;
using Kind = RowSpec::Kind;

RowSpec vectors_of(Index width, Index n_classes, bool row_targets = false) {
  return {Kind::vectors, width, 0, n_classes, row_targets, 20};
}
RowSpec tokens_of(Index vocabulary, Index n_classes, bool row_targets = false) {
  return {Kind::tokens, 0, vocabulary, n_classes, row_targets, 20};
}

template <class Options>
Options small() {
  Options o;
  if constexpr (std::is_base_of_v<TransformerOptions, Options>) {
    o.d_model = 8;
    o.n_layers = 2;
    o.n_heads = 2;
    o.mlp_ratio = 2;
  }
  return o;
}

// A model on a pack of sequences, of its own vectors or of given tokens.
struct Bench : LayerBench<double> {
  std::shared_ptr<const ModelOptions> options;  // which the model goes on to read
  std::unique_ptr<Model> model;

  template <class Options>
  Bench(const std::vector<std::int32_t>& offsets, const Options& given, const RowSpec& spec)
      : LayerBench(offsets),
        options(std::make_shared<Options>(given)),
        model(build([&](Registry& r) { return options->make(r, spec); })) {}

  auto of_vectors() {
    return [this](const Pass<double>& pass, Var x) { return (*model)(pass, {x, {}}); };
  }
  Array logits(const Ids& tokens) {
    const auto of_tokens = [&](const Pass<double>& pass, Var) {
      return (*model)(pass, {{}, tokens.view()});
    };
    return run(of_tokens, Array({n_rows(), 1})).y;
  }
};

std::vector<std::int32_t> some_tokens() { return {3, 1, 4, 1, 5, 0, 2, 6, 5, 3, 5, 1, 0, 2, 3, 3}; }

template <class Options>
class SequenceModels : public ::testing::Test {};
using AllOptions = ::testing::Types<EncoderModelOptions, DecoderOptions, MlpOptions, LinearOptions>;
TYPED_TEST_SUITE(SequenceModels, AllOptions);

TYPED_TEST(SequenceModels, AreDifferentiatedWithTargetsOfExamplesAndOfRows) {
  for (const bool row_targets : {false, true}) {
    Bench bench({0, 5, 6, 13}, small<TypeParam>(), vectors_of(3, 4, row_targets));
    expect_gradients(bench, bench.of_vectors(), 3);
    EXPECT_EQ(bench.run(bench.of_vectors(), Array::random({13, 3}, 1)).y.shape(),
              (Shape{row_targets ? 13 : 3, 4}));
  }
}

TYPED_TEST(SequenceModels, GiveAnExampleTheSameBitsInAnyPack) {
  Bench together({0, 5, 6, 13}, small<TypeParam>(), vectors_of(3, 4)),
      alone({0, 7}, small<TypeParam>(), vectors_of(3, 4));
  const Array x = Array::random({13, 3}, 1);
  EXPECT_TRUE(same_bits(rows_of(together.run(together.of_vectors(), x).y, 2, 3),
                        alone.run(alone.of_vectors(), rows_of(x, 6, 13)).y));
}

TEST(Decoder, SeesNoLaterToken) {
  const RowSpec spec = tokens_of(7, 7, true);
  Bench bench({0, 16}, small<DecoderOptions>(), spec);
  auto later = some_tokens();
  for (std::size_t i = 9; i < later.size(); ++i) later[i] = (later[i] + 1) % 7;
  const Array one = bench.logits(ids(some_tokens())), other = bench.logits(ids(later));
  EXPECT_TRUE(same_bits(rows_of(one, 0, 9), rows_of(other, 0, 9)));
  EXPECT_GT(error(rows_of(one, 9, 10), rows_of(other, 9, 10)), 1e-3);
}

TEST(Encoder, SeesEveryToken) {
  Bench bench({0, 16}, small<EncoderModelOptions>(), tokens_of(7, 7, true));
  auto other = some_tokens();
  other.back() = 6;
  EXPECT_GT(error(rows_of(bench.logits(ids(some_tokens())), 0, 1),
                  rows_of(bench.logits(ids(other)), 0, 1)),
            1e-5);
}

// A decoder that is asked for a class is read at its last row.
TEST(Decoder, IsReadAtItsLastRow) {
  Bench by_row({0, 5, 16}, small<DecoderOptions>(), tokens_of(7, 3, true)),
      by_example({0, 5, 16}, small<DecoderOptions>(), tokens_of(7, 3));
  const Array rows = by_row.logits(ids(some_tokens()));
  const Array examples = by_example.logits(ids(some_tokens()));
  EXPECT_TRUE(same_bits(rows_of(examples, 0, 1), rows_of(rows, 4, 5)));
  EXPECT_TRUE(same_bits(rows_of(examples, 1, 2), rows_of(rows, 15, 16)));
}

// With tie_embedding the head is the embedding, which has no bias: logits are xᵀE with x the stream
// that a head of unit rows reads.
TEST(Decoder, MayTieItsHeadToItsEmbedding) {
  DecoderOptions options = small<DecoderOptions>();
  Bench with({0, 16}, options, tokens_of(7, 7, true));
  options.tie_embedding = true;
  Bench without({0, 16}, options, tokens_of(7, 7, true));
  std::size_t tied = without.registry.parameters().size();
  EXPECT_EQ(with.registry.parameters().size(), tied + 2);
  const auto token = without.value("token.weight");
  std::copy(token.begin(), token.end(), with.value("token.weight").begin());
  std::copy(token.begin(), token.end(), with.value("head.weight").begin());
  EXPECT_TRUE(same_bits(with.logits(ids(some_tokens())), without.logits(ids(some_tokens()))));
}

TEST(Linear, IsAnAffineMapOfTheMeanRow) {
  Bench bench({0, 5, 13}, small<LinearOptions>(), vectors_of(3, 4));
  const Array x = Array::random({13, 3}, 1), y = bench.run(bench.of_vectors(), x).y;
  const View<double> w = bench.value("head.weight"), b = bench.value("head.bias");
  for (Index c = 0; c < 4; ++c) b[c] = 0.1 * static_cast<double>(c);
  const Array with_bias = bench.run(bench.of_vectors(), x).y;
  Array wanted({2, 4});
  for (Index e = 0; e < 2; ++e)
    for (Index c = 0; c < 4; ++c) {
      const Index begin = e == 0 ? 0 : 5, end = e == 0 ? 5 : 13;
      for (Index i = begin; i < end; ++i)
        for (Index j = 0; j < 3; ++j)
          wanted[e * 4 + c] += w(c, j) * x[i * 3 + j] / static_cast<double>(end - begin);
    }
  EXPECT_LE(error(y, wanted), 1e-14);
  for (Index i = 0; i < 8; ++i) wanted[i] += 0.1 * static_cast<double>(i % 4);
  EXPECT_LE(error(with_bias, wanted), 1e-14);
}

TEST(Mlp, IsItsHiddenLayersUnderTheGelu) {
  MlpOptions options;
  options.hidden = {5, 2};
  Bench bench({0, 1, 2}, options, vectors_of(3, 4));
  const Array x = Array::random({2, 3}, 1), y = bench.run(bench.of_vectors(), x).y;
  const auto layer = [&](const std::string& name, const std::vector<double>& in) {
    const View<double> w = bench.value(name + ".weight");
    std::vector<double> out(static_cast<std::size_t>(w.dim(0)));
    for (Index i = 0; i < w.dim(0); ++i)
      for (Index j = 0; j < w.dim(1); ++j)
        out[static_cast<std::size_t>(i)] += w(i, j) * in[static_cast<std::size_t>(j)];
    return out;
  };
  const auto gelu = [](std::vector<double> v) {
    for (double& z : v) z *= std::erfc(-z / std::sqrt(2.0)) / 2;
    return v;
  };
  for (Index e = 0; e < 2; ++e) {
    const auto wanted =
        layer("head",
              gelu(layer("layer1", gelu(layer("layer0", {x[e * 3], x[e * 3 + 1], x[e * 3 + 2]})))));
    for (Index c = 0; c < 4; ++c)
      EXPECT_NEAR(y[e * 4 + c], wanted[static_cast<std::size_t>(c)], 1e-14);
  }
}

TEST(ModelKinds, SayWhichDataTheyCannotRead) {
  const auto complaint = [](const ModelOptions& options, const RowSpec& spec) {
    const auto found = options.misfit(spec);
    return found ? found->key + ": " + found->message + "; " + found->hint : std::string();
  };
  const RowSpec images{Kind::patches, 16, 0, 2, false, 20};
  const RowSpec tokens = tokens_of(7, 3), rows = tokens_of(7, 7, true), vectors = vectors_of(3, 2);

  EXPECT_EQ(complaint(VitOptions(), images), "");
  EXPECT_THAT(complaint(VitOptions(), tokens), HasSubstr("reads images"));
  for (const RowSpec& spec : {tokens, rows, vectors}) {
    EXPECT_EQ(complaint(EncoderModelOptions(), spec), "");
    EXPECT_EQ(complaint(DecoderOptions(), spec), "");
  }
  EXPECT_THAT(complaint(DecoderOptions(), images), HasSubstr("model.kind=vit"));
  EXPECT_EQ(complaint(MlpOptions(), vectors), "");
  EXPECT_EQ(complaint(LinearOptions(), images), "");
  EXPECT_THAT(complaint(MlpOptions(), tokens), HasSubstr("this data are tokens"));
  EXPECT_THAT(complaint(LinearOptions(), rows), HasSubstr("this data are tokens"));

  EncoderModelOptions o;
  o.position = Position::rope_2d;
  EXPECT_THAT(complaint(o, tokens), HasSubstr("needs a grid for position=rope_2d"));
  o = {};
  o.attention.bias = kernels::Bias::alibi_2d;
  EXPECT_THAT(complaint(o, tokens), HasSubstr("needs a grid for attention.bias=alibi_2d"));
  o = {};
  o.pool = Pool::cls;
  EXPECT_EQ(complaint(o, tokens), "");
  EXPECT_THAT(complaint(o, rows), HasSubstr("every row has one"));
  o = {};
  o.tie_embedding = true;
  EXPECT_EQ(complaint(o, rows), "");
  EXPECT_THAT(complaint(o, tokens), HasSubstr("here are 3 classes and 7 tokens"));
  EXPECT_THAT(complaint(o, vectors), HasSubstr("as many classes as tokens"));
}

TEST(ModelKinds, SeeNoTargetsThatStandInTheNextRow) {
  RowSpec spec = tokens_of(7, 7, true);
  spec.targets_ahead = true;
  EXPECT_FALSE(DecoderOptions().misfit(spec));
  const auto seeing = EncoderModelOptions().misfit(spec);
  ASSERT_TRUE(seeing);
  EXPECT_THAT(seeing->hint, HasSubstr("model.attention.pattern=causal"));
  DecoderOptions o;
  o.attention.pattern = kernels::Pattern::causal_window;
  EXPECT_FALSE(o.misfit(spec));
  o.attention.pattern = kernels::Pattern::window;
  EXPECT_TRUE(o.misfit(spec));
  o = {};
  o.attention.kind = "linformer";
  o.attention.k = 4;
  o.attention.max_length = 20;
  const auto mixing = o.misfit(spec);
  ASSERT_TRUE(mixing);
  EXPECT_EQ(mixing->key, "attention.kind");
  EXPECT_THAT(mixing->message, HasSubstr("kind=linformer"));
}

// A linformer has no pattern, so that a decoder's own means nothing to it.
TEST(ModelKinds, AClassTokenOfALinformerSeesAllRows) {
  DecoderOptions o = small<DecoderOptions>();
  o.pool = Pool::cls;
  const auto complaints = [&o] {
    FieldList f;
    o.fields(f);
    return std::count_if(f.rules().begin(), f.rules().end(),
                         [](const auto& r) { return bool(r()); });
  };
  EXPECT_EQ(complaints(), 1);
  o.attention.kind = "linformer";
  EXPECT_EQ(complaints(), 0);
}

// Its longest example, and the class token in front of it.
TEST(ModelKinds, ALinformersLengthIsThatOfTheData) {
  VitOptions o;
  o.attention.kind = "linformer";
  o.attention.k = 4;
  o.attention.max_length = 20;
  const RowSpec images{Kind::patches, 16, 0, 2, false, 20};
  EXPECT_FALSE(o.misfit(images));
  o.pool = Pool::cls;
  const auto complaint = o.misfit(images);
  ASSERT_TRUE(complaint);
  EXPECT_EQ(complaint->key, "attention.max_length");
  EXPECT_THAT(complaint->message, HasSubstr("max_length=20 rows, and the longest example has 21"));
  EXPECT_THAT(complaint->hint, HasSubstr("21 or more"));
}

}  // namespace
}  // namespace attune
